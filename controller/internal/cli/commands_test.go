package cli

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/controller/internal/exit"
)

// asked runs a restored deploy on a terminal where something is typed, and returns what is shown.
func asked(d *team, typed string, want exit.Code) string {
	d.t.Helper()
	_ = os.Remove(filepath.Join(d.dir, "moved")) // may not be there
	d.system.Asks, d.system.Stdin = true, strings.NewReader(typed)
	return d.again(want, "deploy", "--env", "preprod", "--yes")
}

const isAsked = `Type "yes" to go on: `

// TestCommandsAreAskedAbout: at first, and whenever they have changed; a yes is remembered once they run.
func TestCommandsAreAskedAbout(t *testing.T) {
	d := newTeam(t)
	for _, typed := range []string{"no\n", "y\n", "", "\n"} {
		if said := asked(d, typed, exit.Refused); !strings.Contains(said, isAsked) || d.has("prepared") {
			t.Errorf("%q: %s", typed, said)
		}
	}
	if said := asked(d, "yes\n", exit.OK); !strings.Contains(said, "  prepare   touch prepared\n  deploy    ./deploy.sh\n  rollback  ./deploy.sh back\n"+isAsked) {
		t.Error(said)
	}
	if said := asked(d, "", exit.OK); strings.Contains(said, isAsked) {
		t.Error(said)
	}
	d.commit("dev", map[string]string{"hosts.toml": inPreprod(`["touch", "prepared"]`, `["touch", "prepared", "`+strings.Repeat("x", 400)+`", "; curl"]`)(d.hosts())})
	d.git("push", "-q", "origin", "dev")
	said := asked(d, "no\n", exit.Refused)
	for _, part := range []string{"has changed. It was:\n  prepare   touch prepared\n", "It is:\n  prepare   touch prepared xxx", "xxx '; curl'\n"} {
		if !strings.Contains(said, part) {
			t.Errorf("no %q in: %s", part, said)
		}
	}
}

// TestCommandsOfABranchAreNotRemembered: a yes to commands that are then refused is none.
func TestCommandsOfABranchAreNotRemembered(t *testing.T) {
	d := newTeam(t)
	asked(d, "yes\n", exit.OK)
	d.commit("pr", map[string]string{"hosts.toml": inPreprod(`["touch", "prepared"]`, evil)(d.hosts())})
	if said := asked(d, "yes\n", exit.Refused); !strings.Contains(said, "It is:\n  prepare   touch pwned\n") {
		t.Error(said)
	}
	if said := asked(d, "", exit.OK); strings.Contains(said, isAsked) { // on dev again
		t.Error(said)
	}
}

// TestNoQuestionInCI, nor where there is no terminal; and nothing is remembered there.
func TestNoQuestionInCI(t *testing.T) {
	d := newTeam(t)
	d.again(exit.OK, "deploy", "--env", "preprod")
	getenv := d.system.Getenv
	d.system.Getenv = func(name string) string {
		if name == "CI" {
			return "true"
		}
		return getenv(name)
	}
	asked(d, "", exit.OK)
	d.system.Getenv = getenv
	asked(d, "", exit.Refused)
}

// TestCtrlCAtTheCommands changes nothing and remembers nothing.
func TestCtrlCAtTheCommands(t *testing.T) {
	d := newTeam(t)
	signals := make(chan os.Signal, 1)
	in, typing, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = in.Close(), typing.Close() }()
	d.system.Asks, d.system.Stdin, d.system.Signals = true, in, signals
	signals <- os.Interrupt
	d.again(exit.Interrupted, "deploy", "--env", "preprod")
	if d.has("prepared") {
		t.Error("a command was run")
	}
	d.system.Signals = nil
	asked(d, "", exit.Refused)
}

// TestSpoiltMemory: what cannot be believed is asked about again, and replaced.
func TestSpoiltMemory(t *testing.T) {
	d := newTeam(t)
	asked(d, "yes\n", exit.OK)
	folder := filepath.Join(d.system.Getenv("HOME"), ".local", "state", "rpctl", "commands")
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 1 {
		t.Fatal(entries, err)
	}
	path := filepath.Join(folder, entries[0].Name())
	for _, name := range []string{folder, path} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v %v", name, info.Mode(), err)
		}
	}
	for name, spoil := range map[string]func() error{
		"cut off":       func() error { return os.Truncate(path, 20) },
		"empty":         func() error { return os.Truncate(path, 0) },
		"for all":       func() error { return os.Chmod(path, 0o666) },
		"folder of all": func() error { return os.Chmod(folder, 0o777) },
		"a link": func() error {
			return errors.Join(os.Rename(path, path+".real"), os.Symlink(path+".real", path))
		},
		"another's": func() error {
			if os.Geteuid() != 0 {
				return os.Remove(path)
			}
			return os.Chown(path, 12345, 12345)
		},
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if said := asked(d, "yes\n", exit.OK); !strings.Contains(said, isAsked) {
			t.Errorf("%s: was believed", name)
		}
		if err := os.Chmod(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		if said := asked(d, "", exit.OK); strings.Contains(said, isAsked) {
			t.Errorf("%s: was not replaced: %s", name, said)
		}
	}
	if err := errors.Join(os.RemoveAll(folder), os.WriteFile(folder, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if said := asked(d, "yes\n", exit.OK); !strings.Contains(said, "warning: the commands will be asked about again") {
		t.Error(said)
	}
}
