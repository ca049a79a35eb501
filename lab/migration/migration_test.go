package migration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/re-connect/rpctl/lab"
	"github.com/re-connect/rpctl/lab/labtest"
)

// stage is a lab with everything that the chapters share.
type stage struct {
	*lab.Lab
	bin           string // the folder of rpctl and rp-agent
	plans         string // the operator's folder of plans
	preprod, prod *lab.Host
}

var chapters = []struct {
	name string
	play func(*testing.T, *stage)
}{
	{"install", install},
	{"simulate", simulate},
	{"refused without approval", refusedWithoutApproval},
	{"approve", approve},
	{"prod waits for preprod", prodWaits},
	{"preprod", applyPreprod},
	{"prod", applyProd},
	{"what remains to be seen", seen},
	{"a plan begins and its viewer is killed", viewerKilled},
	{"inside the sandbox", sandbox},
	{"nobody else meanwhile", nobodyElse},
	{"the runner is killed", runnerKilled},
	{"cancelled before the next step", cancelled},
	{"the console is killed", consoleKilled},
	{"the power is cut", powerCut},
	{"the last word", lastWord},
	{"a shared accommodation", sharedAccommodation},
}

func TestMigration(t *testing.T) {
	labtest.Need(t)
	bin := buildPrograms(t)
	labtest.EachSuite(t, func(t *testing.T, suite lab.Suite) {
		l := labtest.Up(t, lab.Options{Slot: lab.SlotMigration, Suite: suite})
		s := &stage{Lab: l, bin: bin, plans: t.TempDir(), preprod: l.Host(lab.Preprod), prod: l.Host(lab.Prod)}
		for _, c := range chapters {
			began := time.Now()
			if !t.Run(c.name, func(t *testing.T) { c.play(t, s) }) {
				t.Fatalf("the chapters after %q build on it", c.name)
			}
			t.Logf("%s: %.1f s", c.name, time.Since(began).Seconds())
		}
	})
}

// buildPrograms builds what is shipped, as `make build` does.
func buildPrograms(t *testing.T) string {
	t.Helper()
	bin := t.TempDir()
	root := strings.TrimSpace(local(t, "go", "list", "-m", "-f", "{{.Dir}}"))
	for _, program := range []string{"./controller/cmd/rpctl", "./agent/cmd/rp-agent"} {
		cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", bin+string(filepath.Separator), program)
		cmd.Dir = root
		cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("cannot build %s: %v\n%s", program, err, out)
		}
	}
	return bin
}

// local runs a command of this machine.
func local(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// plan writes a plan into the operator's folder and returns its path.
func (s *stage) plan(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(s.plans, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
