package secrets

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/re-connect/rpctl/lab/labtest"
	"github.com/re-connect/rpctl/lab/sshhost"
)

// TestCore: rpctl that crashes with a key unlocked leaves no core, and its stacks have no secret.
func TestCore(t *testing.T) {
	if !coresAreLeft(t) {
		t.Skip("a program that crashes leaves no core here: see core_pattern in core(5)")
	}
	in := make(chan struct{})
	private, public := lockedKey(t)
	d := newDesk(t, private, public, func(ctx context.Context, _ sshhost.Request, _ io.Reader, _, _ io.Writer) int {
		close(in)
		<-ctx.Done()
		return -1
	})
	s := labtest.OnTerminal(t, d.dir, []string{beRpctl + "=1", "HOME=" + d.dir, "GOTRACEBACK=crash"}, "sh", append([]string{
		"-c", `ulimit -c unlimited; exec "$@"`, "sh", os.Args[0], "status", "--env", "preprod"}, d.args...)...)
	s.Until(asked).Until(": ").Type(passphrase + "\n")
	select {
	case <-in:
	case <-s.Gone():
		t.Fatalf("rpctl did not log in:\n%s", s.Screen())
	}
	s.Signal(syscall.SIGQUIT)
	status, shown := s.End()
	if !status.Signaled() || !strings.Contains(shown, "goroutine ") {
		t.Fatalf("it did not crash: %v\n%s", status, shown)
	}
	if status.CoreDump() {
		t.Error("a core was left")
	}
	nowhere(t, "the stacks", shown, passphrase)
	folder(t, d.dir, passphrase)
}

// coresAreLeft says whether a program that has nothing to hide leaves a core on this machine.
func coresAreLeft(t *testing.T) bool {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "ulimit -c unlimited; kill -SEGV $$")
	cmd.Dir = t.TempDir()
	var failed *exec.ExitError
	if err := cmd.Run(); !errors.As(err, &failed) {
		t.Fatalf("it did not crash: %v", err)
	}
	status, ok := failed.Sys().(syscall.WaitStatus)
	return ok && status.CoreDump()
}
