package cli

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// screen is what a person looks at: at each question they do the next thing.
type screen struct {
	t             *testing.T
	master, slave *os.File
	does          []func()
}

func (s *screen) Write(text []byte) (int, error) {
	if len(s.does) == 0 { // the newline at the end
		return len(text), nil
	}
	if s.echoes() {
		s.t.Errorf("the question %q is there, and typing is shown", text)
	}
	next := s.does[0]
	s.does = s.does[1:]
	next()
	return len(text), nil
}

func (s *screen) types(keys string) func() {
	return func() {
		if _, err := s.master.WriteString(keys); err != nil {
			s.t.Error(err)
		}
	}
}

// comesBack is what a shell does at a Ctrl-Z and at fg.
func (s *screen) comesBack() {
	settings, err := unix.IoctlGetTermios(int(s.slave.Fd()), getTermios)
	if err != nil {
		s.t.Fatal(err)
	}
	settings.Lflag |= unix.ECHO
	if err := unix.IoctlSetTermios(int(s.slave.Fd()), setTermios, settings); err != nil {
		s.t.Error(err)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGCONT); err != nil {
		s.t.Error(err)
	}
}

func (s *screen) echoes() bool {
	settings, err := unix.IoctlGetTermios(int(s.slave.Fd()), getTermios)
	if err != nil {
		s.t.Error(err)
		return true
	}
	return settings.Lflag&unix.ECHO != 0
}

// waiting is how many bytes a program that comes later would read.
func (s *screen) waiting() int {
	n, err := unix.IoctlGetInt(int(s.slave.Fd()), unix.TIOCINQ)
	if err != nil {
		s.t.Error(err)
	}
	return n
}

func newScreen(t *testing.T) *screen {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close() })
	return &screen{t: t, master: master, slave: slave}
}

func TestNothingIsShownOnceTheQuestionIsThere(t *testing.T) {
	for name, does := range map[string]func(*screen) []func(){
		"answered":     func(s *screen) []func() { return []func(){s.types("hush\n")} },
		"after Ctrl-Z": func(s *screen) []func() { return []func(){s.comesBack, s.types("hush\n")} },
	} {
		t.Run(name, func(t *testing.T) {
			s := newScreen(t)
			s.does = does(s)
			got, err := secret(s.slave, s, "password: ")
			if err != nil || string(got) != "hush" {
				t.Errorf("%q, %v", got, err)
			}
			if !s.echoes() {
				t.Error("typing is not shown afterwards")
			}
		})
	}
}

// TestNothingIsLeftOfNoAnswer: a shell that comes next would show it, or run it.
func TestNothingIsLeftOfNoAnswer(t *testing.T) {
	s := newScreen(t)
	s.does = []func(){s.types(strings.Repeat("x", 2000) + "\n")}
	if got, err := secret(s.slave, s, "password: "); err == nil || !s.echoes() || s.waiting() != 0 {
		t.Errorf("%q, %v; %d bytes are left", got, err, s.waiting())
	}
}

func TestSecretLine(t *testing.T) {
	for typed, want := range map[string]string{"hush\nmore": "hush", "\n": "", " hush \n": " hush "} {
		if got, err := secretLine(strings.NewReader(typed)); err != nil || string(got) != want {
			t.Errorf("%q: %q, %v", typed, got, err)
		}
	}
	for _, typed := range []string{"", "hush", strings.Repeat("x", 2000) + "\n"} {
		if got, err := secretLine(strings.NewReader(typed)); err == nil || got != nil {
			t.Errorf("%.10q: %q, %v", typed, got, err)
		}
	}
}
