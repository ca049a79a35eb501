package secrets

import (
	"bufio"
	"context"
	"crypto/sha256"
	"debug/elf"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/re-connect/rpctl/lab/labtest"
	"github.com/re-connect/rpctl/lab/sshhost"
)

const (
	password = "sudo-horse-4713"
	question = "password for sudo on rp-preprod: "
)

// TestSudo: the password that an install asks for is in no output, file, command line or environment while sudo has
// it and after, whatever sudo, the host and the person do with it. lab/story does it with sudo itself.
func TestSudo(t *testing.T) {
	private, public := openKey(t)
	for name, c := range map[string]struct {
		verb  []string
		keys  string
		sudo  string // what it does with a password: see admin.sudo
		then  string // is typed when it does that
		exit  int
		shown string
	}{
		"install":            {verb: []string{"install", "--yes"}, keys: password + "\n", exit: 0, shown: "1 changes made"},
		"install, as events": {verb: []string{"install", "--yes", "--json"}, keys: password + "\n", exit: 0, shown: `"event":"setup"`},
		"upgrade":            {verb: []string{"upgrade", "--yes"}, keys: password + "\n", exit: 0, shown: "1 changes made"},
		"uninstall":          {verb: []string{"uninstall", "--yes"}, keys: password + "\n", exit: 0, shown: "1 changes made"},
		"diff":               {verb: []string{"diff"}, keys: password + "\n", exit: 1, shown: "1 things differ"},
		"not confirmed":      {verb: []string{"install"}, keys: password + "\nno\n", exit: 4, shown: "not confirmed"},
		"wrong":              {verb: []string{"install", "--yes"}, keys: mistyped + "\n", exit: 4, shown: "sudo refused"},
		"wrong, as events":   {verb: []string{"install", "--yes", "--json"}, keys: mistyped + "\n", exit: 4, shown: "sudo refused"},
		"Ctrl-C":             {verb: []string{"install", "--yes"}, keys: password + labtest.CtrlC, exit: 130, shown: "interrupted"},
		"Ctrl-D":             {verb: []string{"install", "--yes"}, keys: labtest.CtrlD, exit: 4, shown: "no password for sudo: nothing was typed"},
		"cut within sudo":    {verb: []string{"install", "--yes"}, keys: password + "\n", sudo: "cut", exit: 5, shown: "the connection was lost while sudo ran"},
		"Ctrl-C within sudo": {verb: []string{"install", "--yes"}, keys: password + "\n", sudo: "hang", then: labtest.CtrlC, exit: 130, shown: "interrupted"},
		"sudo repeats it":    {verb: []string{"install", "--yes"}, keys: password + "\n", sudo: "say", exit: 8, shown: "[hidden]"},
		"setup repeats it":   {verb: []string{"install", "--yes"}, keys: password + "\n", sudo: "print", exit: 8, shown: "[hidden]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := &admin{t: t, does: c.sudo, reached: make(chan struct{}), files: map[string][]byte{}}
			d := newDesk(t, private, public, a.handle)
			a.cut = d.host.Close
			args := append(append([]string{"agent"}, c.verb...), "--env", "preprod", "--login", "admin")
			if c.verb[0] != "diff" {
				args = append(args, "--unreviewed", "a test") // its hosts.toml is in no work tree
			}
			s := d.rpctl(t, append(args, "--binary", agentFor(t))...).Until(question).Type(c.keys)
			if c.then != "" {
				select {
				case <-a.reached:
					s.Type(c.then)
				case <-s.Gone():
				}
			}
			status, shown := s.End()
			if status.ExitStatus() != c.exit || !strings.Contains(shown, c.shown) {
				t.Errorf("exit %d, want %d with %q:\n%s", status.ExitStatus(), c.exit, c.shown, shown)
			}
			if !s.Shows() {
				t.Error("the terminal no longer shows what is typed")
			}
			nowhere(t, "the terminal", shown, password, mistyped)
			nowhere(t, "the host's commands", a.commands(), password, mistyped)
			folder(t, d.dir, password, mistyped)
			if c.exit == 0 && !strings.Contains(a.commands(), "sudo -k -S -p : /usr/local/bin/rp-agent.rpctl-") {
				t.Errorf("sudo was not asked:\n%s", a.commands())
			}
			for name, content := range a.files {
				nowhere(t, "the host's file "+name, string(content), password, mistyped)
			}
		})
	}
}

// agentFor is the head of a Linux program, which is all that rpctl looks at.
func agentFor(t *testing.T) string {
	t.Helper()
	header := make([]byte, 64)
	copy(header, "\x7fELF\x02\x01\x01")
	header[16], header[18], header[20] = byte(elf.ET_EXEC), byte(elf.EM_X86_64), 1
	header[52], header[54], header[58] = 64, 56, 64
	name := filepath.Join(t.TempDir(), "rp-agent")
	if err := os.WriteFile(name, header, 0o700); err != nil {
		t.Fatal(err)
	}
	return name
}

// admin is a host whose login may use sudo with a password.
type admin struct {
	t       *testing.T
	does    string
	cut     func()
	reached chan struct{} // closed when sudo hangs

	mu    sync.Mutex
	asked string
	files map[string][]byte
}

func (a *admin) commands() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.asked
}

func (a *admin) handle(ctx context.Context, r sshhost.Request, stdin io.Reader, stdout, stderr io.Writer) int {
	a.mu.Lock()
	a.asked += r.Command + "\n"
	a.mu.Unlock()
	words := strings.Fields(r.Command)
	switch {
	case r.Command == "uname -m":
		fmt.Fprintln(stdout, "x86_64")
	case r.Command == "id -un":
		fmt.Fprintln(stdout, "admin")
	case r.Command == "id -u":
		fmt.Fprintln(stdout, "1000")
	case strings.HasPrefix(r.Command, "sudo -k -S -p : "):
		return a.sudo(ctx, words[5:], bufio.NewReader(stdin), stdout, stderr)
	case words[0] == "sudo":
		fmt.Fprintln(stderr, "sudo: a password is required")
		return 1
	case words[0] == "dd":
		data, _ := io.ReadAll(stdin)
		a.mu.Lock()
		a.files[strings.TrimPrefix(words[2], "of=")] = data
		a.mu.Unlock()
	case words[0] == "mv":
		a.mu.Lock()
		a.files[words[3]] = a.files[words[2]]
		a.mu.Unlock()
	case words[0] == "sha256sum":
		a.mu.Lock()
		fmt.Fprintf(stdout, "%x  %s\n", sha256.Sum256(a.files[words[1]]), words[1])
		a.mu.Unlock()
	}
	return 0
}

// sudo has the password now: nobody else may.
func (a *admin) sudo(ctx context.Context, command []string, stdin *bufio.Reader, stdout, stderr io.Writer) int {
	typed, _ := stdin.ReadString('\n')
	processes(a.t, password, mistyped)
	if strings.TrimSuffix(typed, "\n") != password {
		fmt.Fprintln(stderr, "Sorry, try again.\nsudo: 1 incorrect password attempt")
		return 1
	}
	setup := len(command) > 1 && command[1] == "setup"
	switch {
	case a.does == "cut":
		go a.cut() // waits for this very handler
		<-ctx.Done()
		return -1
	case a.does == "hang":
		close(a.reached)
		<-ctx.Done()
		return -1
	case !setup:
		a.mu.Lock()
		defer a.mu.Unlock()
		switch command[0] {
		case "install":
			a.files[command[9]] = a.files[command[8]]
		case "sha256sum":
			fmt.Fprintf(stdout, "%x  %s\n", sha256.Sum256(a.files[command[2]]), command[2])
		}
		return 0
	case a.does == "say":
		fmt.Fprint(stderr, "debug: ", typed)
		return 1
	case a.does == "print":
		fmt.Fprint(stdout, "debug: ", typed)
		return 0
	}
	spec, _ := io.ReadAll(stdin)
	nowhere(a.t, "what setup reads", string(spec), password, mistyped)
	applied := !strings.Contains(strings.Join(command, " "), "--dry-run")
	fmt.Fprintf(stdout, `{"changes":[{"action":"create","target":"/usr/local/bin/rp-agent"}],"classified":true,"applied":%v}`+"\n", applied)
	return 0
}
