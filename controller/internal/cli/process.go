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
)

// ThisProcess is the system of the real rpctl.
func ThisProcess() System {
	undumped()
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
// answer is pasted at once; what was typed before it is dropped, as by ssh.
func secret(keys *os.File, screen io.Writer, question string) ([]byte, error) {
	show, err := hideTyping(int(keys.Fd()))
	if err != nil {
		return nil, err
	}
	defer show()
	fmt.Fprint(screen, question)
	defer fmt.Fprintln(screen)
	return secretLine(keys)
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

// hideTyping turns the echo of a terminal off, until show is called.
func hideTyping(fd int) (show func(), err error) {
	before, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return nil, err
	}
	hidden := *before
	hidden.Lflag = hidden.Lflag&^unix.ECHO | unix.ICANON | unix.ISIG
	hidden.Iflag |= unix.ICRNL
	if err := unix.IoctlSetTermios(fd, setTermiosFlush, &hidden); err != nil {
		return nil, err
	}
	return func() { _ = unix.IoctlSetTermios(fd, setTermios, before) }, nil // nothing else can be done
}
