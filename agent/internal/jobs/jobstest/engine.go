package jobstest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/re-connect/rpctl/agent/internal/jobs"
	"github.com/re-connect/rpctl/agent/internal/jobs/console"
	"github.com/re-connect/rpctl/agent/internal/jobs/runner"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

// ErrKilled is what a test kills a runner with.
var ErrKilled = errors.New("killed")

// Fault is what goes wrong with one run. The zero value is none.
type Fault struct {
	Before  func()       // runs first: the data changes, somebody asks to cancel
	Limit   int          // after so many people the command dies with status 255; 0 is no limit
	End     *console.End // how it ends instead
	NoEnd   bool         // it leaves no record
	Hang    bool         // it lives until StopConsole, having moved Limit people
	Refused bool         // the service manager starts nothing
	NotRun  bool         // rp-agent console refuses the run
	Output  string       // it prints this instead
}

// Engine runs commands on a world, each at once. It keeps the contract of jobs.Engine.
type Engine struct {
	Folders console.Folders
	World   *World
	// Parts are the host's, as whoever executes a command reads them; Refused is what that one refused.
	Parts   func() jobs.Parts
	Refused []error
	// Script says what goes wrong with a run; nil is nothing.
	Script func(spec console.Spec) Fault
	// Start is called before and after a command is started; its error kills the runner there.
	Start func(after bool) error

	mu      sync.Mutex
	Real    map[string]int // real commands that were started, by their text
	hanging map[console.ID]console.Spec
	Runners map[proto.JobID]bool // those that were started
	Alive   map[proto.JobID]bool
	Stopped int
	// OnStop is how a command ends that is stopped; the zero value is killed by TERM.
	OnStop console.End
}

// Once is a script for the first real command.
func Once(fault Fault) func(console.Spec) Fault {
	struck := false
	return func(spec console.Spec) Fault {
		if spec.DryRun || struck {
			return Fault{}
		}
		struck = true
		return fault
	}
}

// StartRunner notes that a runner is wanted; the test runs it.
func (e *Engine) StartRunner(_ context.Context, id proto.JobID) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.Runners[id], e.Alive[id] = true, true
	return nil
}

// RunnerAlive is what the test says.
func (e *Engine) RunnerAlive(_ context.Context, id proto.JobID) (bool, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.Alive[id], nil
}

// SetAlive says whether a runner lives.
func (e *Engine) SetAlive(id proto.JobID, alive bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.Alive[id] = alive
}

// StartConsole runs the command to its end.
func (e *Engine) StartConsole(_ context.Context, id console.ID) error {
	if e.Start != nil {
		if err := e.Start(false); err != nil {
			return err
		}
	}
	run, err := e.Parts().Command(id, uint32(os.Geteuid()), id.Dry())
	if err != nil {
		e.Refused = append(e.Refused, err)
		e.notRun(id, err)
		return nil
	}
	if err := e.execute(id, run.Spec); err != nil {
		return err
	}
	if e.Start != nil {
		return e.Start(true)
	}
	return nil
}

// notRun is what rp-agent console leaves of a run that it refuses.
func (e *Engine) notRun(id console.ID, why error) {
	_ = os.WriteFile(e.Folders.Stdout(id), nil, 0o600)
	_ = os.WriteFile(e.Folders.Stderr(id), fmt.Appendf(nil, "rp-agent: %v\n", why), 0o600)
	e.ended(id, console.End{Result: "exit-code", Code: "exited", Status: "78", Time: time.Now()})
}

func (e *Engine) execute(id console.ID, spec console.Spec) error {
	if _, err := os.Stat(e.Folders.Stdout(id)); err == nil {
		return errors.New("the run was started before")
	}
	var fault Fault
	if e.Script != nil {
		fault = e.Script(spec)
	}
	if fault.Refused {
		return runner.ErrNotStarted
	}
	if fault.NotRun {
		e.notRun(id, errors.New("refused for a test"))
		return nil
	}
	if err := errors.Join(os.WriteFile(e.Folders.Stdout(id), nil, 0o600), os.WriteFile(e.Folders.Stderr(id), nil, 0o600)); err != nil {
		e.ended(id, noOutput())
		return nil
	}
	if fault.Before != nil {
		fault.Before()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if !spec.DryRun {
		e.Real[spec.Step.Shell(false)]++
	}
	limit := -1
	if fault.Limit > 0 || fault.Hang {
		limit = fault.Limit
	}
	text := e.World.move(spec.Step, spec.DryRun, limit)
	if fault.Output != "" {
		text = fault.Output
	}
	_ = os.WriteFile(e.Folders.Stdout(id), []byte(text), 0o600) // PHP does not look whether what it prints arrives
	if fault.Hang {
		e.hanging[id] = spec
		return nil
	}
	if !fault.NoEnd {
		e.ended(id, endOf(fault))
	}
	return nil
}

// noOutput is how a command ends whose output systemd cannot open: it is not run (systemd.exec(5), EXIT_STDOUT).
func noOutput() console.End {
	return console.End{Result: "exit-code", Code: "exited", Status: "209", Time: time.Now()}
}

// ended records an end. Where the disk refuses, there is none: systemd does not try again.
func (e *Engine) ended(id console.ID, end console.End) { _ = e.Folders.WriteEnd(id, end) }

func endOf(fault Fault) console.End {
	switch {
	case fault.End != nil:
		return *fault.End
	case fault.Limit > 0:
		return console.End{Result: "exit-code", Code: "exited", Status: "255", Time: time.Now()}
	}
	return console.End{Result: "success", Code: "exited", Status: "0", Time: time.Now()}
}

// ConsoleAlive is true for what hangs.
func (e *Engine) ConsoleAlive(_ context.Context, id console.ID) (bool, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, alive := e.hanging[id]
	return alive, nil
}

// StopConsole ends what hangs, as TERM does.
func (e *Engine) StopConsole(_ context.Context, id console.ID) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.Stopped++
	if _, ok := e.hanging[id]; !ok {
		return nil
	}
	delete(e.hanging, id)
	end := e.OnStop
	if end == (console.End{}) {
		end = console.End{Result: "success", Code: "killed", Status: "TERM"}
	}
	end.Time = time.Now()
	return e.Folders.WriteEnd(id, end)
}

// Hanging is how many commands hang.
func (e *Engine) Hanging() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.hanging)
}

// Reals is how often the real command of a step was started.
func (e *Engine) Reals(step plan.Step) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.Real[step.Shell(false)]
}

// End lets everything that hangs end like this.
func (e *Engine) End(end console.End) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for id := range e.hanging {
		delete(e.hanging, id)
		_ = e.Folders.WriteEnd(id, end)
	}
}
