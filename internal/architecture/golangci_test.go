package architecture

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

const lintFile = "../../.golangci.yml"

// TestGolangci: golangci-lint says the same as the tables here. UPDATE=1 writes the file.
func TestGolangci(t *testing.T) {
	want := golangci()
	if os.Getenv("UPDATE") == "1" {
		if err := os.WriteFile(lintFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(lintFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error(".golangci.yml is not what homes_test.go says: UPDATE=1 go test ./internal/architecture")
	}
}

func golangci() string {
	var b strings.Builder
	b.WriteString(`# Written by internal/architecture from its tables: UPDATE=1 go test ./internal/architecture
version: "2"
linters:
  default: standard
  enable: [depguard]
  settings:
    depguard:
      rules:
`)
	for _, dependency := range slices.Sorted(maps.Keys(homes)) {
		name := strings.NewReplacer(".", "-", "/", "-").Replace(dependency) // a dot would be a key's end
		rule(&b, name, homes[dependency], dependency, "its home is "+strings.Join(homes[dependency], " and "))
	}
	rule(&b, "agent", []string{"agent", "lab"}, module+"agent", "only the agent imports the agent, and the lab its embedded form")
	rule(&b, "controller", []string{"controller"}, module+"controller", "only the controller imports the controller")
	fmt.Fprintf(&b, `        proto:
          list-mode: strict
          files: ["**/proto/**", "!$test"]
          allow: [$gostd, %sproto]
formatters:
  enable: [gofmt]
`, module)
	return b.String()
}

// rule denies a package outside of its folders.
func rule(b *strings.Builder, name string, folders []string, pkg, why string) {
	files := []string{`"$all"`, `"!$test"`}
	for _, f := range folders {
		files = append(files, fmt.Sprintf(`"!**/%s/**"`, f))
	}
	fmt.Fprintf(b, "        %q:\n          list-mode: lax\n          files: [%s]\n          deny:\n            - pkg: %s\n              desc: %s\n",
		name, strings.Join(files, ", "), pkg, why)
}
