package architecture

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// goPackage is what `go list -json` says of a package.
type goPackage struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

func (p goPackage) folder() string { return strings.TrimPrefix(p.ImportPath, module) }

// all is every package of the module for a system; darwin has files that linux has not.
func all(t *testing.T, goos string) []goPackage {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", module+"...")
	cmd.Env = append(os.Environ(), "GOOS="+goos)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var found []goPackage
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p goPackage
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, p)
	}
	if len(found) < 10 {
		t.Fatalf("go list found only %d packages", len(found))
	}
	return found
}

func TestImports(t *testing.T) {
	for _, goos := range []string{"linux", "darwin"} {
		for _, p := range all(t, goos) {
			for _, i := range p.Imports {
				if why := refused(p.folder(), i); why != "" {
					t.Errorf("%s: %s imports %s: %s", goos, p.folder(), i, why)
				}
			}
			more := forTests[longest(parts, p.folder())]
			for _, i := range slices.Concat(p.TestImports, p.XTestImports) {
				if why := refusedInTest(p.folder(), i, more); why != "" {
					t.Errorf("%s: the tests of %s import %s: %s", goos, p.folder(), i, why)
				}
			}
		}
	}
}

// refused says why a folder must not import a path, or nothing.
func refused(folder, path string) string {
	if why := refusedInTest(folder, path, nil); why != "" {
		return why
	}
	dependency := longest(homes, path)
	if dependency != "" && !within(homes[dependency], folder) {
		return "its home is " + strings.Join(homes[dependency], " and ")
	}
	return ""
}

// refusedInTest is refused for a test: a dependency counts wherever its home is.
func refusedInTest(folder, path string, more []string) string {
	if ours, ok := strings.CutPrefix(path, module); ok {
		return refusedOurs(folder, ours, more)
	}
	if first, _, _ := strings.Cut(path, "/"); !strings.Contains(first, ".") {
		return "" // the standard library
	}
	if longest(homes, path) == "" {
		return "this dependency has no home in internal/architecture/homes_test.go"
	}
	return ""
}

func refusedOurs(folder, ours string, more []string) string {
	part, to := longest(parts, folder), longest(parts, ours)
	switch {
	case part == "":
		return "this folder is not in the table of parts"
	case part == to, within(parts[part], ours), within(more, ours):
		return ""
	}
	return part + " may import " + strings.Join(append(parts[part], more...), ", ") + " only"
}

// longest is the longest key that path is, or is below.
func longest(table map[string][]string, path string) string {
	best := ""
	for key := range table {
		if within([]string{key}, path) && len(key) > len(best) {
			best = key
		}
	}
	return best
}

// within says that path is one of the folders or below one.
func within(folders []string, path string) bool {
	return slices.ContainsFunc(folders, func(f string) bool {
		return path == f || strings.HasPrefix(path, f+"/")
	})
}

func TestRefused(t *testing.T) {
	for _, c := range []struct {
		folder, path string
		ok           bool
	}{
		{"controller/internal/deploy", module + "agent/internal/units", false},
		{"agent/internal/session", module + "controller/internal/exit", false},
		{"agent/internal/session", module + "agent/embedded/supervisor", false},
		{"agent/internal/session", module + "lab", false},
		{"agent/internal/session", module + "proto", true},
		{"agent/embedded/supervisor", module + "agent/internal/units", true},
		{"proto", module + "internal/printable", false},
		{"proto", "golang.org/x/sys/unix", false},
		{"proto", "encoding/json", true},
		{"agent/internal/session", "github.com/spf13/cobra", false},
		{"controller/internal/cli", "github.com/spf13/cobra", true},
		{"controller/internal/clifoo", "github.com/spf13/cobra", false},
		{"controller/internal/deploy", "example.com/new", false},
	} {
		if why := refused(c.folder, c.path); (why == "") != c.ok {
			t.Errorf("%s importing %s: %q, want ok=%v", c.folder, c.path, why, c.ok)
		}
	}
}

// TestShipped: what is built for users holds neither the supervisor nor anything made for tests.
func TestShipped(t *testing.T) {
	for _, binary := range []string{"controller/cmd/rpctl", "agent/cmd/rp-agent"} {
		t.Run(filepath.Base(binary), func(t *testing.T) {
			if _, err := os.Stat(filepath.Join("../..", binary)); err != nil {
				t.Skip(binary + " is not there yet")
			}
			out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", module+binary).Output()
			if err != nil {
				t.Fatalf("go list: %v", err)
			}
			if !strings.Contains(string(out), module+"proto\n") {
				t.Fatalf("go list does not say what %s is made of:\n%s", binary, out)
			}
			for path := range strings.FieldsSeq(string(out)) {
				ours := strings.TrimPrefix(path, module)
				if within([]string{"agent/embedded", "lab", "testing", "internal/tool", "internal/powercut"}, ours) {
					t.Errorf("%s contains %s", binary, path)
				}
			}
		})
	}
}
