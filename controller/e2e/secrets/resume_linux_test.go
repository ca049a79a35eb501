package secrets

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/lab/labtest"
)

// TestCtrlZ: who leaves the question by Ctrl-Z and comes back by fg is asked once more, and the shell between, which
// shows typing, has not changed that nothing is shown.
func TestCtrlZ(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skipf("a shell with jobs is wanted: %v", err)
	}
	private, public := lockedKey(t)
	h := &heard{t: t}
	d := newDesk(t, private, public, h.handle)
	s := labtest.OnTerminal(t, d.dir, []string{beRpctl + "=1", "HOME=" + d.dir, "PS1=$ ", "LC_ALL=C"}, bash, "--norc", "-i")
	s.Type(os.Args[0] + " status --env preprod " + strings.Join(d.args, " ") + "\n").Until(asked).Until(": ")
	s.Type("\x1a").Until("Stopped").Until("$ ").Type("fg\n")
	s.Until(asked).Until(": ")
	s.Type(passphrase + "\n").Until("preprod").Until("$ ").Type("exit\n")
	_, shown := s.End()
	nowhere(t, "the terminal", shown, passphrase)
	if h.commands() == "" {
		t.Errorf("rpctl did not log in:\n%s", shown)
	}
}
