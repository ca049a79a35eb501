package secrets

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"testing"

	"github.com/re-connect/rpctl/lab/labtest"
	"github.com/re-connect/rpctl/lab/sshhost"
)

const (
	mistyped = "the-mail-password-4712" // what is typed by mistake is as secret
	asked    = "passphrase of "
)

// passphrase is this process's own: ssh-keygen of a test beside it has another in its command line.
var passphrase = fmt.Sprintf("correct-horse-%d-4711", os.Getpid())

// TestPassphrase: the passphrase of a key is in no output, file, command line or environment, on neither side of
// the connection, while rpctl runs and after, however it ends.
func TestPassphrase(t *testing.T) {
	private, public := lockedKey(t)
	for name, c := range map[string]struct {
		args []string
		keys []string // for each question
		cut  bool     // the host cuts the connection when it is asked for the first command
		in   bool     // the login succeeds
		exit int
	}{
		"right":             {[]string{"status", "--env", "preprod"}, []string{passphrase + "\n"}, false, true, 6},
		"right, as events":  {[]string{"status", "--env", "preprod", "--json"}, []string{passphrase + "\n"}, false, true, 6},
		"right at last":     {[]string{"doctor", "--env", "preprod"}, []string{mistyped + "\n", mistyped + "\n", passphrase + "\n"}, false, true, 1},
		"wrong":             {[]string{"status", "--env", "preprod"}, []string{mistyped + "\n", mistyped + "\n", mistyped + "\n"}, false, false, 5},
		"wrong, as events":  {[]string{"status", "--env", "preprod", "--json"}, []string{mistyped + "\n", mistyped + "\n", mistyped + "\n"}, false, false, 5},
		"Ctrl-C":            {[]string{"status", "--env", "preprod"}, []string{passphrase + labtest.CtrlC}, false, false, 130},
		"Ctrl-C, later":     {[]string{"status", "--env", "preprod"}, []string{mistyped + "\n", passphrase + labtest.CtrlC}, false, false, 130},
		"end of file":       {[]string{"status", "--env", "preprod"}, []string{labtest.CtrlD}, false, false, 5},
		"the host cuts":     {[]string{"status", "--env", "preprod"}, []string{passphrase + "\n"}, true, true, 5},
		"for an install":    {[]string{"agent", "install", "--env", "preprod", "--login", "admin", "--unreviewed", "a test"}, []string{passphrase + "\n"}, false, true, 8},
		"a flag is unknown": {[]string{"status", "--env", "preprod", "--passphrase", "x"}, nil, false, false, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &heard{t: t}
			d := newDesk(t, private, public, h.handle)
			if c.cut {
				h.cut = d.host.Close
			}
			s := d.rpctl(t, c.args...)
			for _, keys := range c.keys {
				s.Until(asked).Until(": ").Type(keys)
			}
			status, shown := s.End()
			if status.ExitStatus() != c.exit {
				t.Errorf("exit %d, want %d:\n%s", status.ExitStatus(), c.exit, shown)
			}
			if !s.Shows() {
				t.Error("the terminal no longer shows what is typed")
			}
			if got := h.commands(); (got != "") != c.in {
				t.Errorf("the host was asked for %q:\n%s", got, shown)
			}
			nowhere(t, "the terminal", shown, passphrase, mistyped)
			nowhere(t, "the host's commands", h.commands(), passphrase, mistyped)
			folder(t, d.dir, passphrase, mistyped)
		})
	}
}

// heard is a host without an agent that notes what it is asked for, and looks at all processes at that moment.
type heard struct {
	t    *testing.T
	cut  func() // cuts the connection instead of an answer
	mu   sync.Mutex
	text string
}

func (h *heard) commands() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text
}

func (h *heard) handle(ctx context.Context, r sshhost.Request, _ io.Reader, _, stderr io.Writer) int {
	h.mu.Lock()
	h.text += r.Command + "\n"
	h.mu.Unlock()
	processes(h.t, passphrase, mistyped)
	if h.cut != nil {
		go h.cut() // waits for this very handler
		<-ctx.Done()
		return -1
	}
	fmt.Fprintln(stderr, "rp-agent: not found")
	return 127
}
