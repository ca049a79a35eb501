package lab_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/lab"
	"github.com/re-connect/rpctl/lab/labtest"
)

// insideVar is what a test looks at that wants to run as root inside a host.
const insideVar = "RPCTL_LAB_HOST"

// mariaDBVar is what a test looks at beside it that wants the host's MariaDB.
const mariaDBVar = "RPCTL_LAB_MARIADB"

// TestInside runs the tests of every package that asks for it ($RPCTL_LAB_HOST in a test
// file) inside a fresh preprod: as root, on both systemds, where they may break what they like.
func TestInside(t *testing.T) {
	labtest.Need(t)
	root := labtest.Local(t, "go", "list", "-m", "-f", "{{.Dir}}")
	packages, onMariaDB := packagesWith(t, root, insideVar), packagesWith(t, root, mariaDBVar)
	if !slices.Contains(packages, "agent/internal/units/systemd") || !slices.Contains(onMariaDB, "lab/app/console") {
		t.Fatalf("the search for packages is broken, it found only %v, and for MariaDB %v", packages, onMariaDB)
	}
	binaries := map[string]string{}
	for _, pkg := range packages {
		binaries[pkg] = compileTest(t, root, pkg)
	}
	labtest.EachSuite(t, func(t *testing.T, suite lab.Suite) {
		for _, pkg := range packages {
			t.Run(pkg, func(t *testing.T) {
				o := lab.Options{Slot: lab.SlotTest, Suite: suite, Roles: []lab.Role{lab.Preprod}}
				environment := []string{insideVar + "=1"}
				if slices.Contains(onMariaDB, pkg) {
					o.Database = lab.MariaDB
					environment = append(environment, mariaDBVar+"=1")
				}
				runInside(t, labtest.Up(t, o).Host(lab.Preprod), root, pkg, binaries[pkg], environment)
			})
		}
	})
}

// packagesWith finds the folders with a test file that names the variable.
func packagesWith(t *testing.T, root, variable string) []string {
	var found []string
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(name, "_test.go") {
			return err
		}
		dir, err := filepath.Rel(root, filepath.Dir(name))
		if err != nil || dir == "lab" || slices.Contains(found, dir) {
			return err
		}
		data, err := os.ReadFile(name)
		if bytes.Contains(data, []byte(`"`+variable+`"`)) {
			found = append(found, dir)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// compileTest makes a test binary that needs nothing of the host.
func compileTest(t *testing.T, root, pkg string) string {
	out := filepath.Join(t.TempDir(), "inside.test")
	cmd := exec.CommandContext(t.Context(), "go", "test", "-c", "-o", out, "./"+pkg)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cannot compile the tests of %s: %v\n%s", pkg, err, said)
	}
	return out
}

// runInside runs the binary where its package's testdata is, as `go test` would.
func runInside(t *testing.T, h *lab.Host, root, pkg, binary string, environment []string) {
	const dir = "/root/inside"
	if err := h.CopyIn(t.Context(), binary, dir+"/inside.test", 0o755); err != nil {
		t.Fatal(err)
	}
	testdata := filepath.Join(root, pkg, "testdata")
	if _, err := os.Stat(testdata); err == nil {
		if err := h.CopyTree(t.Context(), testdata, dir+"/testdata"); err != nil {
			t.Fatal(err)
		}
	}
	out, err := h.Run(t.Context(), slices.Concat([]string{"env", "--chdir=" + dir}, environment, []string{"./inside.test", "-test.v", "-test.timeout=5m"})...)
	if err != nil {
		t.Fatalf("%v\n%s", err, withoutPassed(out))
	}
	if !strings.Contains(out, "--- PASS: ") || strings.Contains(out, insideVar+"=1 is not set") {
		t.Errorf("nothing was tested:\n%s", out)
	}
}

// withoutPassed keeps of a verbose output what is worth reading.
func withoutPassed(out string) string {
	var kept strings.Builder
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, "=== ") && !strings.Contains(line, "--- PASS: ") {
			kept.WriteString(line)
		}
	}
	return kept.String()
}
