// Package jobengine keeps the contract of package jobs with plain child processes,
// where there is no systemd: the demo's and the tests' hosts. It opens a command's
// output and records its end itself, and its runners are goroutines.
package jobengine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/re-connect/rpctl/agent/internal/jobs"
	"github.com/re-connect/rpctl/agent/internal/jobs/console"
	"github.com/re-connect/rpctl/agent/internal/jobs/runner"
	"github.com/re-connect/rpctl/proto"
)

// stopGrace is how long a command may take after TERM; its real unit gives it 90 s.
const stopGrace = 5 * time.Second

// Options is what an engine works with.
type Options struct {
	Folders console.Folders
	// Command is the argv, folder and environment of a run, from its spec.
	Command func(id console.ID) (argv []string, dir string, env []string, err error)
	// Run does a job, or what is left of it (runner.Host.Run).
	Run func(ctx context.Context, id proto.JobID) error
	// Restart is after how long a runner that failed is started again; 0 is never.
	Restart time.Duration
	Log     func(error) // nil drops it
}

// Engine runs jobs within this process.
type Engine struct {
	options Options
	life    context.Context
	end     context.CancelFunc
	wait    sync.WaitGroup

	mu       sync.Mutex
	runners  map[proto.JobID]context.CancelFunc
	consoles map[console.ID]*exec.Cmd
}

var _ jobs.Engine = (*Engine)(nil)

// New makes an engine that runs nothing yet.
func New(options Options) *Engine {
	e := &Engine{options: options, runners: map[proto.JobID]context.CancelFunc{}, consoles: map[console.ID]*exec.Cmd{}}
	e.life, e.end = context.WithCancel(context.Background())
	return e
}

// Close ends runners and commands, and waits for both.
func (e *Engine) Close() error {
	e.end()
	e.mu.Lock()
	for _, command := range e.consoles {
		_ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
	}
	e.mu.Unlock()
	e.wait.Wait()
	return nil
}

// Idle waits until no runner and no command is left; nobody may start a runner meanwhile.
func (e *Engine) Idle() { e.wait.Wait() }

// StartRunner starts a runner, unless there is one.
func (e *Engine) StartRunner(_ context.Context, id proto.JobID) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.life.Err(); err != nil {
		return fmt.Errorf("cannot start the runner of job %s: the host is going down", id)
	}
	if e.runners[id] != nil {
		return nil
	}
	e.runners[id] = func() {}
	e.wait.Go(func() {
		e.keepRunning(id)
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.runners, id)
	})
	return nil
}

// keepRunning is Restart=on-failure.
func (e *Engine) keepRunning(id proto.JobID) {
	for {
		ctx, cancel := context.WithCancel(e.life)
		e.mu.Lock()
		e.runners[id] = cancel
		e.mu.Unlock()
		err := e.options.Run(ctx, id)
		cancel()
		if err == nil || e.life.Err() != nil {
			return
		}
		if e.options.Log != nil {
			e.options.Log(fmt.Errorf("runner of job %s: %w", id, err))
		}
		if e.options.Restart == 0 {
			return
		}
		select {
		case <-e.life.Done():
			return
		case <-time.After(e.options.Restart):
		}
	}
}

// KillRunner ends a runner as a killed process would be: its commands go on, and with Restart it is
// started again.
func (e *Engine) KillRunner(id proto.JobID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if cancel := e.runners[id]; cancel != nil {
		cancel()
	}
}

// RunnerAlive says whether there is a runner.
func (e *Engine) RunnerAlive(_ context.Context, id proto.JobID) (bool, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.runners[id] != nil, nil
}

// StartConsole starts a command in a group of its own. The files of its output are made with
// O_EXCL: a run is started once.
func (e *Engine) StartConsole(_ context.Context, id console.ID) error {
	if !id.Valid() {
		return fmt.Errorf("%w: %q is no run's id", runner.ErrNotStarted, string(id))
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.life.Err() != nil {
		return fmt.Errorf("%w: the host is going down", runner.ErrNotStarted)
	}
	if e.consoles[id] != nil {
		return nil
	}
	out, err := create(e.options.Folders.Stdout(id))
	if errors.Is(err, fs.ErrExist) {
		return nil // it ran before
	}
	if err != nil {
		return fmt.Errorf("%w: %w", runner.ErrNotStarted, err)
	}
	defer out.Close()
	errs, err := create(e.options.Folders.Stderr(id))
	if err != nil {
		return fmt.Errorf("%w: %w", runner.ErrNotStarted, err)
	}
	defer errs.Close()
	return e.spawn(id, out, errs)
}

func create(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_EXCL, 0o640)
}

// spawn starts the process. One that cannot be executed has an end, as systemd would record it.
func (e *Engine) spawn(id console.ID, out, errs *os.File) error {
	argv, dir, env, err := e.options.Command(id)
	if err != nil {
		fmt.Fprintf(errs, "rp-agent: %v\n", err)
		return e.options.Folders.WriteEnd(id, console.End{Result: "exit-code", Code: "exited", Status: "78", Time: time.Now().UTC()})
	}
	command := exec.Command(argv[0], argv[1:]...)
	command.Dir, command.Env, command.Stdout, command.Stderr = dir, env, out, errs
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := command.Start(); err != nil {
		fmt.Fprintf(errs, "rp-agent: %v\n", err)
		return e.options.Folders.WriteEnd(id, console.End{Result: "exit-code", Code: "exited", Status: "203", Time: time.Now().UTC()})
	}
	e.consoles[id] = command
	e.wait.Go(func() { e.reap(id, command) })
	return nil
}

// reap records the end before the command counts as gone.
func (e *Engine) reap(id console.ID, command *exec.Cmd) {
	_ = command.Wait()
	_ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL) // KillMode=mixed: what it left
	if err := e.options.Folders.WriteEnd(id, endOf(command.ProcessState)); err != nil && e.options.Log != nil {
		e.options.Log(err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.consoles, id)
}

// endOf is how a process ended, in systemd's words.
func endOf(state *os.ProcessState) console.End {
	end := console.End{Result: "exit-code", Code: "exited", Status: "1", Time: time.Now().UTC()}
	status, ok := state.Sys().(syscall.WaitStatus)
	switch {
	case ok && status.Signaled():
		end.Code, end.Result = "killed", "signal"
		end.Status = unix.SignalName(status.Signal())[len("SIG"):]
		if status.Signal() == syscall.SIGTERM {
			end.Result = "success" // as systemd counts it
		}
	case state.ExitCode() == 0:
		end.Result, end.Status = "success", "0"
	default:
		end.Status = strconv.Itoa(state.ExitCode())
	}
	return end
}

// ConsoleAlive says whether the command has not come to its recorded end.
func (e *Engine) ConsoleAlive(_ context.Context, id console.ID) (bool, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.consoles[id] != nil, nil
}

// StopConsole sends TERM to the command, and KILL to all of it when it takes too long.
func (e *Engine) StopConsole(_ context.Context, id console.ID) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	command := e.consoles[id]
	if command == nil {
		return nil
	}
	_ = command.Process.Signal(syscall.SIGTERM)
	time.AfterFunc(stopGrace, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.consoles[id] == command {
			_ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
		}
	})
	return nil
}
