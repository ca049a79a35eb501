package story

import (
	"os/exec"
	"testing"
	"time"

	"github.com/re-connect/rpctl/lab"
	"github.com/re-connect/rpctl/lab/labtest"
)

// ssh runs a command by OpenSSH's own client and says how it ended.
func (s *stage) ssh(t *testing.T, alias, command string, options ...string) (string, error) {
	t.Helper()
	args := append([]string{"-F", s.SSHConfig(), "-o", "BatchMode=yes"}, options...)
	args = append(args, alias)
	if command != "" {
		args = append(args, "--", command)
	}
	cmd := exec.CommandContext(t.Context(), "ssh", args...)
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// files is every file of the folders that a set-up may touch, with size and time of change.
func files(t *testing.T, h *lab.Host) string {
	t.Helper()
	return labtest.On(t, h, "find", "/etc", "/usr/local", "/var/lib/systemd", "/home/app/.ssh", "/home/admin", "-not", "-type", "d",
		"-not", "-name", ".sudo_as_admin_successful",
		"-not", "-path", "/var/lib/systemd/timers/*", "-printf", "%p %s %C@ %m %u\n")
}

// invocations are the workers of a host and which start of each is running.
func invocations(t *testing.T, h *lab.Host) string {
	t.Helper()
	return labtest.On(t, h, "systemctl", "show", "-p", "Id", "-p", "InvocationID", "-p", "MainPID", "messenger_worker*")
}

// commit makes a new revision on a branch that its remote has, as a merge does.
func (s *stage) commit(t *testing.T, branch, message string) string {
	t.Helper()
	git := func(args ...string) string {
		return labtest.Local(t, "git", append([]string{"-C", s.WorkTree()}, args...)...)
	}
	git("checkout", "-q", branch)
	git("commit", "-q", "--allow-empty", "-m", message)
	git("push", "-q", "origin", branch)
	return git("rev-parse", "HEAD")
}
