package setup

import (
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/internal/powercut"
	"github.com/re-connect/rpctl/systemd"
)

// drawn is how many ways to fail are tried of each change where CRASH=all does not ask for all.
const drawn = 6

// TestEveryWriteFails lets the disk fail an install, an upgrade and an uninstall at each system call that writes. What the
// error says of the host is true, and the same command finishes the work once the disk is well.
func TestEveryWriteFails(t *testing.T) {
	if !powercut.CanFail {
		t.Skip("no system call can be made to fail on this architecture")
	}
	failing := stage
	failing.Spared = byTools
	for name, c := range changes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host := newFakeHost(t)
			c.before(host)
			r := &stopped{change: c, before: read(t, host.Root)}
			strikes, _ := failing.Strikes(t, name, host.Root)
			r.after = read(t, host.Root)
			step := max(1, len(strikes)/drawn) | 1 // troubles, and their two lengths, come in turn
			if os.Getenv("CRASH") == "all" {
				step = 1
			}
			tried := 0
			for i := 0; i < len(strikes); i += step {
				root := restored(t, r.before)
				out := failing.Fail(t, name, root, strikes[i])
				if bad := r.honest(read(t, root), out, strikes[i]); bad != "" {
					t.Errorf("%s: %s: %+v", strikes[i], bad, out)
				}
				r.check(t, root, func() { t.Errorf("after %s: %+v", strikes[i], out) })
				tried++
			}
			t.Logf("%d calls that write, %d ways to fail, %d tried", strikes[len(strikes)-1].Call, len(strikes), tried)
		})
	}
}

// byTools says what systemd's own tools make.
func byTools(name string) bool {
	name = "/" + name
	return name == "/var" || name == "/var/lib" || strings.HasPrefix(socketLink, name) ||
		slices.ContainsFunc(systemd.Folders, func(f systemd.Folder) bool { return f.Path == name })
}

// honest says how what was said of the host is not so.
func (r *stopped) honest(is powercut.Tree, out powercut.Outcome, strike powercut.Strike) string {
	if len(out.Problems) > 0 {
		return "it is not on the disk"
	}
	if len(out.Errs) == 0 {
		return differ(is, r.after)
	}
	said := out.Errs[0]
	if !strings.HasPrefix(said, "cannot ") || !strings.Contains(said, strike.Trouble.Says()) || strings.Contains(said, "\n") {
		return "this says too little"
	}
	if strings.Contains(said, "nothing was changed") || strings.Contains(said, "was put back") {
		return differ(is, r.before)
	}
	if !strike.Stays && !strings.Contains(said, "could not put back") && differ(is, r.before) != "" {
		return "it does not say that the host was changed"
	}
	return ""
}

// differ names a file that is not as it should be. The receipt key stays once it is made, and what is hidden counts for nothing.
func differ(is, want powercut.Tree) string {
	for _, pair := range [][2]powercut.Tree{{is, want}, {want, is}} {
		for name, entry := range pair[0] {
			other, there := pair[1][name]
			if entry.Mode&fs.ModeType == 0 && !strings.HasPrefix(name, "var/") && !strings.Contains(name, "/.") && name != strings.TrimPrefix(lockPath, "/") &&
				(!there || other.Data != entry.Data) {
				return name + " is not as it was said"
			}
		}
	}
	return ""
}
