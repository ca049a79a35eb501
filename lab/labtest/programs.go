package labtest

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const module = "github.com/re-connect/rpctl/"

// The programs that are shipped.
const (
	Rpctl   = "controller/cmd/rpctl"
	RpAgent = "agent/cmd/rp-agent"
)

// Build builds programs of this module as `make build` does, each named by its folder in the
// tree, and returns the folder that they are in. They are gone when the test has ended.
func Build(t testing.TB, programs ...string) string {
	t.Helper()
	bin := t.TempDir()
	args := []string{"build", "-trimpath", "-o", bin + string(filepath.Separator)}
	for _, program := range programs {
		args = append(args, module+program)
	}
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cannot build %s: %v\n%s", strings.Join(programs, " and "), err, out)
	}
	return bin
}

// Local runs a command of this machine and returns what it prints, without the space around it.
func Local(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}
