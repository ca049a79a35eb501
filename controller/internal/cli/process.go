package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/re-connect/rpctl/internal/coredump"
)

// ThisProcess is the system of the real rpctl. No core holds it: keys and passphrases are in it.
func ThisProcess() System {
	coredump.Forbid()
	in, out := int(os.Stdin.Fd()), int(os.Stdout.Fd())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	// A write to a reader that has left fails, and does not end the process. Not Ignore, which children inherit.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	dir, _ := os.Getwd()         // "" is told where hosts.toml is looked for
	hostname, _ := os.Hostname() // as told to the host's audit, where empty is told too
	s := System{
		Args: os.Args[1:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv,
		Dir: dir, Hostname: hostname, Signals: signals, Exit: os.Exit, Now: time.Now,
		Asks: term.IsTerminal(in) && term.IsTerminal(int(os.Stderr.Fd())), Live: term.IsTerminal(out),
		Width: func() int { return width(out) },
	}
	if s.Asks {
		s.Secret = func(question string) ([]byte, error) { return secret(os.Stdin, os.Stderr, question) }
		if state, err := term.GetState(in); err == nil {
			s.Restore = func() { _ = term.Restore(in, state) } // the process ends: nothing else can be done
		}
	}
	return s
}

// width is the columns of the terminal, 80 where it does not tell.
func width(fd int) int {
	if columns, _, err := term.GetSize(fd); err == nil && columns > 0 {
		return columns
	}
	return 80
}

// secret reads a line without showing it. The terminal is told so before anybody can see the question, since an
// answer is pasted at once; what was typed before it is dropped, as by ssh, and so is what follows no answer. After
// a Ctrl-Z the shell has it show typing again: who comes back is asked once more.
func secret(keys *os.File, screen io.Writer, question string) (line []byte, err error) {
	resumed := make(chan os.Signal, 1)
	signal.Notify(resumed, syscall.SIGCONT)
	defer signal.Stop(resumed)
	hide, show, err := typing(int(keys.Fd()))
	if err != nil {
		return nil, err
	}
	if err := hide(); err != nil {
		return nil, err
	}
	defer func() { show(err != nil) }()
	fmt.Fprint(screen, question)
	defer fmt.Fprintln(screen)
	defer whenever(resumed, func() {
		if hide() == nil {
			fmt.Fprint(screen, "\n"+question)
		}
	})()
	return secretLine(keys)
}

// whenever does something at each signal, until it is told to stop; then it is over.
func whenever(signals <-chan os.Signal, do func()) (stop func()) {
	stopped, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		for {
			select {
			case <-signals:
				do()
			case <-stopped:
				return
			}
		}
	}()
	return func() { close(stopped); <-over }
}

// secretLine reads up to a newline, into one piece of memory that the caller can wipe. Ctrl-D gives up.
func secretLine(keys io.Reader) ([]byte, error) {
	line := make([]byte, 0, 1024) // as much as a terminal keeps of a line is 4096, and nobody types that
	var one [1]byte
	defer clear(one[:])
	for {
		n, err := keys.Read(one[:])
		switch {
		case n == 1 && one[0] == '\n':
			return line, nil
		case n == 1 && len(line) < cap(line):
			line = append(line, one[0])
			continue
		case n == 1:
			err = errors.New("it is too long")
		case err == nil:
			continue
		case errors.Is(err, io.EOF):
			err = errors.New("nothing was typed")
		}
		clear(line)
		return nil, err
	}
}

// typing turns the echo of a terminal off, and back to what it is now; what was typed until then is dropped where
// it is hidden, and on demand where it is shown.
func typing(fd int) (hide func() error, show func(drop bool), err error) {
	before, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return nil, nil, err
	}
	hidden := *before
	hidden.Lflag = hidden.Lflag&^unix.ECHO | unix.ICANON | unix.ISIG
	hidden.Iflag |= unix.ICRNL
	hide = func() error { return unix.IoctlSetTermios(fd, setTermiosFlush, &hidden) }
	show = func(drop bool) {
		request := uint(setTermios)
		if drop {
			request = setTermiosFlush
		}
		_ = unix.IoctlSetTermios(fd, request, before) // nothing else can be done
	}
	return hide, show, nil
}
