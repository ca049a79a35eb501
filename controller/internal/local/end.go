package local

import (
	"cmp"
	"os"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// markName is the variable that names what a command has started: children inherit it
// with the environment, also those whose parent is gone.
const markName = "RPCTL_COMMAND="

// pollEnd is how often it is looked whether what a command has left is gone; it is nobody's
// child any more, so nobody tells.
const pollEnd = 20 * time.Millisecond

// killWait is how long the kernel may take to bury what was killed (a process that hangs in
// the kernel dies when it comes back).
const killWait = 2 * time.Second

// command is a command that runs.
type command struct {
	process *os.Process
	mark    string
	done    chan struct{} // closed when it has ended and err is set
	err     error
}

// end stops the command and all that it has started, gently first, and says how it went.
// When it returns, err is set.
func (c *command) end(o Options) string {
	grace := cmp.Or(o.Grace, DefaultGrace)
	told := terminalInterrupts
	if o.atTerminal != nil {
		told = o.atTerminal
	}
	if told() && c.gone(cmp.Or(o.toldGrace, grace), o.Hurry.ended()) {
		return "it ended by itself"
	}
	c.signal(syscall.SIGTERM)
	if c.gone(grace, o.Hurry.ended()) {
		return "it was asked to end"
	}
	c.signal(syscall.SIGKILL)
	c.gone(killWait, nil)
	<-c.done // at most the output delay after the kill
	return "it did not end and was killed"
}

// gone waits until the command and all that it has started have ended.
func (c *command) gone(wait time.Duration, hurry <-chan struct{}) bool {
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	poll := time.NewTicker(pollEnd)
	defer poll.Stop()
	done := c.done
	for {
		select {
		case <-done:
			done = nil // from now on only the poll counts
		case <-poll.C:
		case <-deadline.C:
			return false
		case <-hurry:
			return false
		}
		if done == nil && len(c.left()) == 0 {
			return true
		}
	}
}

// signal reaches the command and what it has started.
func (c *command) signal(signal syscall.Signal) {
	left := c.left()
	for _, pid := range left {
		_ = unix.Kill(pid, signal) // it may have ended meanwhile
	}
	if !slices.Contains(left, c.process.Pid) {
		_ = c.process.Signal(signal)
	}
}

// left is the processes that carry the command's mark and are in rpctl's session still:
// what has made its own (a daemon, an ssh master) was meant to stay.
func (c *command) left() []int {
	session, err := unix.Getsid(0)
	if err != nil {
		return nil
	}
	pid := c.process.Pid
	select {
	case <-c.done:
		pid = 0 // may be another's by now
	default:
	}
	return slices.DeleteFunc(marked(pid, c.mark), func(pid int) bool {
		its, err := unix.Getsid(pid)
		return err != nil || its != session
	})
}

// terminalInterrupts says that Ctrl-C on the terminal reaches rpctl's process group, and the command with it.
func terminalInterrupts() bool {
	terminal, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	defer func() { _ = terminal.Close() }()
	group, err := unix.IoctlGetInt(int(terminal.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}
