package secrets

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

// patience is how long something may take that should happen at once.
const patience = 60 * time.Second

const ctrlC = "\x03"

// terminal is a program on a terminal of its own, with somebody before it.
type terminal struct {
	t       *testing.T
	cmd     *exec.Cmd
	master  *os.File
	drained chan struct{} // closed when nobody has the terminal open any more

	mu    sync.Mutex
	shown string
	read  int // up to here it was read by until
	more  chan struct{}
}

// onTerminal starts a program on a new terminal.
func onTerminal(t *testing.T, dir string, env []string, program string, args ...string) *terminal {
	t.Helper()
	master, slave := openTerminal(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	s := &terminal{t: t, master: master, drained: make(chan struct{}), more: make(chan struct{}, 1)}
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

func openTerminal(t *testing.T) (master, slave *os.File) {
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
func (s *terminal) watch() {
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

func (s *terminal) screen() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown
}

// until waits for a text to be shown, after what was waited for before.
func (s *terminal) until(text string) *terminal {
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
			s.t.Fatalf("%q was not shown, but:\n%s", text, s.screen())
		}
		select {
		case <-s.more:
		case <-s.drained:
			over = true
		}
	}
	return s
}

// typed types keys.
func (s *terminal) typed(keys string) *terminal {
	s.t.Helper()
	if _, err := s.master.WriteString(keys); err != nil {
		s.t.Fatal(err)
	}
	return s
}

// end waits for the program's end and returns how it ended, and all that was shown.
func (s *terminal) end() (syscall.WaitStatus, string) {
	s.t.Helper()
	err := s.cmd.Wait()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		s.t.Fatalf("%v\n%s", err, s.screen())
	}
	<-s.drained
	status, _ := s.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return status, s.screen()
}

// shows says whether the terminal shows what is typed.
func (s *terminal) shows() bool {
	settings, err := unix.IoctlGetTermios(int(s.master.Fd()), unix.TCGETS)
	if err != nil {
		s.t.Fatal(err)
	}
	return settings.Lflag&unix.ECHO != 0
}
