package labtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// atTerminal is how long a program on a terminal may take.
const atTerminal = 5 * time.Minute

// CtrlC and CtrlD are keys: the first interrupts, the second is the end of what is typed.
const (
	CtrlC = "\x03"
	CtrlD = "\x04"
)

// Terminal is a program on a terminal of its own, with somebody before it.
type Terminal struct {
	t       testing.TB
	cmd     *exec.Cmd
	master  *os.File
	drained chan struct{} // closed when nobody has the terminal open any more

	mu    sync.Mutex
	shown string
	read  int // up to here it was read by Until
	more  chan struct{}
}

// OnTerminal starts a program on a new terminal, with more variables in its environment.
func OnTerminal(t testing.TB, dir string, env []string, program string, args ...string) *Terminal {
	t.Helper()
	master, slave := openTerminal(t)
	ctx, cancel := context.WithTimeout(t.Context(), atTerminal)
	t.Cleanup(cancel)
	s := &Terminal{t: t, master: master, drained: make(chan struct{}), more: make(chan struct{}, 1)}
	s.cmd = exec.CommandContext(ctx, program, args...)
	s.cmd.Dir, s.cmd.Env = dir, append(os.Environ(), env...)
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = slave, slave, slave
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = slave.Close()
	go s.watch()
	return s
}

func openTerminal(t testing.TB) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	t.Cleanup(func() { _ = master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return master, slave
}

// watch reads the screen; it ends with EIO when the last program has closed the terminal.
func (s *Terminal) watch() {
	defer close(s.drained)
	buffer := make([]byte, 4096)
	for {
		n, err := s.master.Read(buffer)
		s.mu.Lock()
		s.shown += string(buffer[:n])
		s.mu.Unlock()
		select {
		case s.more <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

// Screen is all that was shown so far.
func (s *Terminal) Screen() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown
}

// Until waits for a text to be shown, after what was waited for before.
func (s *Terminal) Until(text string) *Terminal {
	s.t.Helper()
	seen := func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		at := strings.Index(s.shown[s.read:], text)
		if at >= 0 {
			s.read += at + len(text)
		}
		return at >= 0
	}
	for over := false; !seen(); {
		if over {
			s.t.Fatalf("%q was not shown, but:\n%s", text, s.Screen())
		}
		select {
		case <-s.more:
		case <-s.drained:
			over = true
		}
	}
	return s
}

// Type types keys.
func (s *Terminal) Type(keys string) *Terminal {
	s.t.Helper()
	if _, err := s.master.WriteString(keys); err != nil {
		s.t.Fatal(err)
	}
	return s
}

// End waits for the program's end and returns how it ended, and all that was shown.
func (s *Terminal) End() (syscall.WaitStatus, string) {
	s.t.Helper()
	err := s.cmd.Wait()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		s.t.Fatalf("%v\n%s", err, s.Screen())
	}
	<-s.drained
	status, _ := s.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return status, s.Screen()
}

// Gone is closed when no program has the terminal open any more.
func (s *Terminal) Gone() <-chan struct{} { return s.drained }

// Signal sends the program a signal.
func (s *Terminal) Signal(signal os.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(signal); err != nil {
		s.t.Fatal(err)
	}
}

// Shows says whether the terminal shows what is typed.
func (s *Terminal) Shows() bool {
	settings, err := unix.IoctlGetTermios(int(s.master.Fd()), unix.TCGETS)
	if err != nil {
		s.t.Fatal(err)
	}
	return settings.Lflag&unix.ECHO != 0
}
