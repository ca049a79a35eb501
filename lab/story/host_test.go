package story

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/re-connect/rpctl/lab"
)

// local runs a command of this machine.
func local(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// on runs a command on a host as root.
func on(t *testing.T, h *lab.Host, argv ...string) string {
	t.Helper()
	out, err := h.Run(t.Context(), argv...)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return out
}

// put writes a file of a host.
func put(t *testing.T, h *lab.Host, name, content string) {
	t.Helper()
	if err := h.WriteFile(t.Context(), name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, h *lab.Host, name string) string {
	t.Helper()
	content, err := h.ReadFile(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// ssh runs a command by OpenSSH's own client and says how it ended.
func (s *stage) ssh(t *testing.T, alias, command string, options ...string) (string, error) {
	t.Helper()
	args := append([]string{"-F", s.sshConfig, "-o", "BatchMode=yes"}, options...)
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
	return on(t, h, "find", "/etc", "/usr/local", "/var/lib/systemd", "/home/app/.ssh", "/home/admin", "-not", "-type", "d",
		"-not", "-name", ".sudo_as_admin_successful",
		"-not", "-path", "/var/lib/systemd/timers/*", "-printf", "%p %s %C@ %m %u\n")
}

func property(t *testing.T, h *lab.Host, unit, name string) string {
	t.Helper()
	return strings.TrimSpace(on(t, h, "systemctl", "show", "--value", "-p", name, unit))
}

// invocations are the workers of a host and which start of each is running.
func invocations(t *testing.T, h *lab.Host) string {
	t.Helper()
	return on(t, h, "systemctl", "show", "-p", "Id", "-p", "InvocationID", "-p", "MainPID", "messenger_worker*")
}

// fault makes a worker bad from its next start on; see lab/symfony/src/Fault.php.
func fault(t *testing.T, h *lab.Host, worker, kind string) {
	t.Helper()
	put(t, h, lab.AppPath+"/shared/faults/"+worker, kind)
}

// eventually looks again and again at what there is no event for.
func eventually(t *testing.T, limit time.Duration, look func() error) {
	t.Helper()
	deadline := time.Now().Add(limit)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for err := look(); err != nil; err = look() {
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		select {
		case <-t.Context().Done():
			t.Fatal(err)
		case <-tick.C:
		}
	}
}

func waitForLine(t *testing.T, h *lab.Host, file, want string) {
	t.Helper()
	eventually(t, 20*time.Second, func() error {
		log, _ := h.ReadFile(t.Context(), lab.AppPath+"/shared/"+file)
		if !strings.Contains(log, want) {
			return fmt.Errorf("%s has no %q: %s", file, want, log)
		}
		return nil
	})
}

// commit makes a new revision on a branch that its remote has, as a merge does.
func (s *stage) commit(t *testing.T, branch, message string) string {
	t.Helper()
	git := func(args ...string) string {
		return strings.TrimSpace(local(t, "git", append([]string{"-C", s.WorkTree()}, args...)...))
	}
	git("checkout", "-q", branch)
	git("commit", "-q", "--allow-empty", "-m", message)
	git("push", "-q", "origin", branch)
	return git("rev-parse", "HEAD")
}
