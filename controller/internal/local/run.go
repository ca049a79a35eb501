// Package local is the developer's own machine: the commands that run there
// (git, prepare, deploy) and the work tree that they run in.
package local

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/internal/printable"
)

// DefaultGrace is how long a command may take to end by itself once it was told to.
const DefaultGrace = 10 * time.Second

// defaultOutputDelay is how long output is still read after a command has ended: something that it
// left in the background (an ssh ControlPersist master, say) may hold the pipe open for ever.
const defaultOutputDelay = 2 * time.Second

// Options says how a command runs.
type Options struct {
	Dir string // working folder; "" is the current one
	// Env is added to rpctl's own environment, as KEY=value.
	Env []string
	// Without names variables of rpctl's own environment that the command does not get.
	Without []string
	// Stdin is nothing at all when nil. An *os.File is handed over as it is.
	Stdin io.Reader
	// Stdout and Stderr get the output as it comes, byte for byte; nil discards it. The same
	// writer for both keeps the order and is written to by one goroutine; two are written to
	// at the same time.
	Stdout, Stderr io.Writer
	// Grace is how long the command may take to end at each step of its ending; 0 means DefaultGrace.
	Grace time.Duration
	// Hurry ends all grace (a second Ctrl-C).
	Hurry *Hurry

	typed       []string      // what messages name instead of argv
	atTerminal  func() bool   // nil asks the terminal
	toldGrace   time.Duration // for what the terminal told to end; 0 means Grace
	outputDelay time.Duration // 0 means defaultOutputDelay
}

// Run runs argv, without a shell, and waits until it has ended.
//
// The command stays in rpctl's process group, so that it can ask for a passphrase on the
// terminal, and so that Ctrl-C reaches it directly. When ctx ends, the command is left to
// end by itself if the terminal told it so; otherwise, or when that takes longer than
// the grace, it and all that it has started get SIGTERM, and after another grace SIGKILL.
// Nothing of it is left behind but what has made a session of its own.
//
// Errors are *exit.Error: LocalFailed when the command is missing or fails, Interrupted
// when ctx ended first or Ctrl-C ended the command. A command that succeeds in spite of it has no error.
func Run(ctx context.Context, argv []string, o Options) error {
	if len(argv) == 0 {
		return &exit.Error{Code: exit.BadInput, Message: "cannot run a command of no words"}
	}
	if ctx.Err() != nil {
		return &exit.Error{Code: exit.Interrupted, Message: "interrupted before " + shown(argv), Err: ctx.Err()}
	}
	defer o.Hurry.begin()()
	mark := markName + rand.Text()
	told := argv
	if o.typed != nil {
		told = o.typed
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = o.Dir, o.Stdin, o.Stdout, o.Stderr
	cmd.Env = environment(o, mark)
	cmd.WaitDelay = cmp.Or(o.outputDelay, defaultOutputDelay)
	if err := cmd.Start(); err != nil {
		return notStarted(told, o.Dir, err)
	}
	running := &command{process: cmd.Process, mark: mark, done: make(chan struct{})}
	go func() {
		running.err = cmd.Wait()
		close(running.done)
	}()
	select {
	case <-running.done:
		return ended(told, running.err)
	case <-ctx.Done():
		how := running.end(o)
		return interrupted(ctx, told, running.err, how)
	}
}

// environment is rpctl's own, changed as the options say, and marked.
func environment(o Options, mark string) []string {
	own := slices.DeleteFunc(os.Environ(), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return slices.Contains(o.Without, name)
	})
	return append(append(own, o.Env...), mark)
}

// notStarted says why a command cannot run, and what would help.
func notStarted(argv []string, dir string, err error) error {
	failure := &exit.Error{Code: exit.LocalFailed, Err: err}
	name := printable.Line(argv[0])
	if info, statErr := os.Stat(dir); dir != "" && (statErr != nil || !info.IsDir()) {
		failure.Message = fmt.Sprintf("cannot run %s: there is no folder %s", shown(argv), printable.Line(dir))
		return failure
	}
	switch {
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, exec.ErrDot):
		failure.Message = fmt.Sprintf("cannot run %s: %s is not on PATH: install it, or correct the command in hosts.toml", shown(argv), name)
	case errors.Is(err, fs.ErrNotExist):
		failure.Message = fmt.Sprintf("cannot run %s: there is no %s, or what its first line names is missing", shown(argv), name)
		failure.Next = "ls -l " + name
	case errors.Is(err, fs.ErrPermission):
		failure.Message = fmt.Sprintf("cannot run %s: %s may not be executed", shown(argv), name)
		failure.Next = "chmod +x " + name
	case errors.Is(err, syscall.ENOEXEC):
		failure.Message = fmt.Sprintf("cannot run %s: %s is no program of this machine, and has no #! line", shown(argv), name)
	default:
		failure.Message = fmt.Sprintf("cannot run %s: %s", shown(argv), printable.Line(err.Error()))
	}
	return failure
}

// ended is the error for how a command ended by itself.
func ended(argv []string, err error) error {
	if err == nil || errors.Is(err, exec.ErrWaitDelay) {
		return nil
	}
	code := exit.LocalFailed
	if ofInterrupt(err) {
		code = exit.Interrupted
	}
	return &exit.Error{Code: code, Message: shown(argv) + " failed: " + status(err), Err: err}
}

// ofInterrupt says that a command ended because of Ctrl-C: the terminal may have told it
// before rpctl has heard of it. 130 is how shells and many tools report that.
func ofInterrupt(err error) bool {
	var exited *exec.ExitError
	if !errors.As(err, &exited) {
		return false
	}
	wait, ok := exited.Sys().(syscall.WaitStatus)
	return exited.ExitCode() == 130 || ok && wait.Signaled() && wait.Signal() == syscall.SIGINT
}

func interrupted(ctx context.Context, argv []string, err error, how string) error {
	if ended(argv, err) == nil {
		return nil
	}
	return &exit.Error{
		Code: exit.Interrupted, Err: errors.Join(context.Cause(ctx), err),
		Message: fmt.Sprintf("%s was interrupted: %s (%s)", shown(argv), how, status(err)),
	}
}

// status is how a process ended, in words.
func status(err error) string {
	var exited *exec.ExitError
	if !errors.As(err, &exited) {
		return printable.Line(err.Error())
	}
	if wait, ok := exited.Sys().(syscall.WaitStatus); ok && wait.Signaled() {
		return fmt.Sprintf("ended by signal %d (%s)", int(wait.Signal()), wait.Signal())
	}
	return fmt.Sprintf("exit status %d", exited.ExitCode())
}

// shown is argv as one would type it, cut where it is long.
func shown(argv []string) string {
	return printable.Excerpt(strings.Join(argv, " "), 120)
}
