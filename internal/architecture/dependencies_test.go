package architecture

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// reasons are the modules that the two binaries are made of, and what each is for. One that is not here
// is refused: whoever adds it says why.
var reasons = map[string]string{
	"github.com/BurntSushi/toml":           "hosts.toml, agent.toml and plan.toml, with the keys that nobody knows",
	"github.com/clipperhouse/displaywidth": "how wide a cell of the console's tables is on a terminal",
	"github.com/clipperhouse/uax29/v2":     "characters as people count them, for displaywidth",
	"github.com/coreos/go-systemd/v22":     "systemd's manager over D-Bus",
	"github.com/godbus/dbus/v5":            "D-Bus itself: signals of units and their jobs",
	"github.com/gofrs/flock":               "locks that end with their holder: lease, audit, jobs",
	"github.com/google/renameio/v2":        "files that are written whole or not at all",
	"github.com/hiddeco/sshsig":            "receipts and approvals that ssh-keygen can check",
	"github.com/kr/fs":                     "walking folders, for sftp",
	"github.com/pkg/sftp":                  "carrying rp-agent to a host",
	"github.com/richardlehane/mscfb":       "containers of encrypted workbooks, for excelize",
	"github.com/richardlehane/msoleps":     "properties in such containers, for mscfb",
	"github.com/skeema/knownhosts":         "known_hosts, and which kinds of key to ask a host for",
	"github.com/spf13/cobra":               "verbs and flags of both command lines",
	"github.com/spf13/pflag":               "flags, for cobra",
	"github.com/tiendc/go-deepcopy":        "copies of styles, for excelize",
	"github.com/xuri/efp":                  "parsing formulas, for excelize",
	"github.com/xuri/excelize/v2":          "the product owner's workbook with live formulas",
	"github.com/xuri/nfp":                  "formats of numbers, for excelize",
	"golang.org/x/crypto":                  "SSH, keys and ssh-agent",
	"golang.org/x/net":                     "character sets of HTML, for excelize",
	"golang.org/x/sys":                     "system calls that the standard library does not have",
	"golang.org/x/term":                    "is this a terminal, how wide, and passphrases without echo",
	"golang.org/x/text":                    "character sets, for excelize",
}

// licences are those that may be in the binaries, by words that only their text has.
var licences = []struct{ name, words string }{
	{"MIT", "Permission is hereby granted, free of charge"},
	{"Apache-2.0", "Version 2.0, January 2004"},
	{"BSD-3-Clause", "contributors may be used to endorse or promote"},
	{"BSD-2-Clause", "Redistributions in binary form must reproduce"},
}

// shipped are the binaries with the systems that they are built for (Makefile, cross).
var shipped = map[string][]string{
	"./controller/cmd/rpctl": {"linux", "darwin"},
	"./agent/cmd/rp-agent":   {"linux"},
}

const dependenciesFile = "../../docs/dependencies.md"

// TestDependencies: every module of the two binaries has its reason and a licence that is allowed, and
// docs/dependencies.md says so. UPDATE=1 writes the file.
func TestDependencies(t *testing.T) {
	found := map[string][]string{} // module, version and folder; the binaries that it is in
	for _, binary := range slices.Sorted(maps.Keys(shipped)) {
		for _, system := range shipped[binary] {
			for _, line := range modulesOf(t, binary, system) {
				if name := filepath.Base(binary); !slices.Contains(found[line], name) {
					found[line] = append(found[line], name)
				}
			}
		}
	}
	want := dependencies(t, found)
	if os.Getenv("UPDATE") == "1" {
		if err := os.WriteFile(dependenciesFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(dependenciesFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/dependencies.md is not what the binaries are made of: UPDATE=1 go test ./internal/architecture")
	}
}

// modulesOf is the modules of a binary on a system: path, version and folder.
func modulesOf(t *testing.T, binary, system string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}", binary)
	cmd.Dir = "../.."
	cmd.Env = append(cmd.Environ(), "GOOS="+system, "CGO_ENABLED=0")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("cannot list the modules of %s: %v", binary, err)
	}
	lines := slices.DeleteFunc(strings.Split(string(out), "\n"), func(line string) bool { return line == "" })
	slices.Sort(lines)
	return slices.Compact(lines)
}

func dependencies(t *testing.T, found map[string][]string) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(`# Dependencies: what the two binaries are made of

    UPDATE=1 go test ./internal/architecture -run TestDependencies

writes this page from ` + "`go list -deps`" + ` and the modules' own licence files. The test fails when a module is new and nobody has said
what it is for, and when its licence is none of MIT, Apache-2.0, BSD-2-Clause and BSD-3-Clause. What only tests and the lab use is not here;
who may import what is in ` + "`internal/architecture/homes_test.go`" + `.

| module | version | licence | in | for |
|---|---|---|---|---|
`)
	seen := map[string]bool{}
	for _, line := range slices.Sorted(maps.Keys(found)) {
		fields := strings.Fields(line)
		if len(fields) != 3 {
			t.Fatalf("the folder of a module is not known: %q", line)
		}
		reason, known := reasons[fields[0]]
		if !known {
			t.Errorf("%s is new in %s: say in reasons what it is for", fields[0], strings.Join(found[line], " and "))
		}
		seen[fields[0]] = true
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", fields[0], fields[1], licence(t, fields[0], fields[2]), strings.Join(found[line], ", "), reason)
	}
	for module := range reasons {
		if !seen[module] {
			t.Errorf("%s is in neither binary any more: take it out of reasons", module)
		}
	}
	b.WriteString("\nBeside them: Go's standard library (BSD-3-Clause).\n" + vulnerabilities)
	return b.String()
}

// licence is the name of a module's licence; one that is not allowed, or not recognised, fails the test.
func licence(t *testing.T, module, dir string) string {
	t.Helper()
	for _, name := range []string{"LICENSE", "LICENSE.txt", "LICENSE.md", "COPYING", "LICENCE"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			continue
		}
		text = bytes.Join(bytes.Fields(text), []byte(" "))
		for _, l := range licences {
			if bytes.Contains(text, []byte(l.words)) {
				return l.name
			}
		}
		t.Errorf("%s: the licence in %s is none that is allowed", module, filepath.Join(dir, name))
		return "?"
	}
	t.Errorf("%s: no licence in %s", module, dir)
	return "?"
}

const vulnerabilities = `
## Known vulnerabilities
` + "`make vuln`" + ` asks https://vuln.go.dev, with govulncheck, for those that the code of the binaries reaches. CI runs it too (` + "`.ci/vulnerabilities`" + `).
Where the database cannot be reached, CI fails on GitHub, on GitLab and with ` + "`CI_NETWORK=full`" + `; elsewhere its last line is ` + "`NOT CHECKED: …`" + `.
It was **not** run on the machine where this was written: that has no way to the database.
`
