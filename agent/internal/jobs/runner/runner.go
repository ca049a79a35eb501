// Package runner does a job: it goes through the steps of a plan, one console
// command after the other, and writes to the disk before each start and after each
// end. It may be killed at any moment: the next runner of the job finds the command
// that still runs, or its recorded end, and goes on. No real command is started twice.
package runner

import (
	"context"
	"errors"
	"time"

	"github.com/re-connect/rpctl/agent/internal/gates"
	"github.com/re-connect/rpctl/agent/internal/jobs/console"
	"github.com/re-connect/rpctl/agent/internal/jobs/store"
	"github.com/re-connect/rpctl/agent/internal/plans"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

// ErrNotStarted says that a console command was certainly not started: the service
// manager refused, or does not know it. Any other error of a start leaves that open.
var ErrNotStarted = errors.New("the command was not started")

// Consoles starts console commands and knows which of them live.
type Consoles interface {
	// StartConsole starts the run whose spec is written. A run that was started before is never
	// started again. Once it has returned nil, ConsoleAlive is true until the end is recorded.
	StartConsole(ctx context.Context, id console.ID) error
	// ConsoleAlive says whether the command waits to start, runs, or is being ended.
	ConsoleAlive(ctx context.Context, id console.ID) (bool, error)
	// StopConsole ends a command as its unit says: TERM, time, then KILL. It returns when that
	// was asked for, not when the command has ended. One that does not run is no error.
	StopConsole(ctx context.Context, id console.ID) error
}

// Releases says which release `current` names.
type Releases interface {
	Current() (proto.Release, error)
}

// Key signs this host's receipts.
type Key interface {
	Sign(namespace, body string) (proto.Signed, error)
}

// Audit remembers what was done.
type Audit interface {
	Append(entry proto.AuditEntry) (proto.AuditEntry, error)
	// Newest is the newest time of any entry; it only rises.
	Newest() (time.Time, error)
	// Head is where the audit ends.
	Head() (proto.AuditHead, error)
}

// Host is what a runner works on.
type Host struct {
	Name     string
	Config   proto.HostConfig
	Jobs     store.Store
	Plans    plans.Folder
	Folders  console.Folders
	Consoles Consoles
	Releases Releases
	Key      func() (Key, error) // read when something is to be signed
	Audit    Audit
	Disk     console.Disk
	Now      func() time.Time // nil: the clock
	Log      func(error)      // what is no reason to stop; nil drops it
	// Saved is called after each state that is on the disk, in tests: its error ends the runner there, as a kill would.
	Saved func(store.Record) error
}

// Run does the job, or what is left of it. It returns nil when the job has ended,
// however it ended; an error means that a next runner must go on.
func (h Host) Run(ctx context.Context, id proto.JobID) error {
	release, err := h.Jobs.Own(id)
	if err != nil {
		return err
	}
	if release == nil {
		return nil // another runner works on it
	}
	defer release()
	w, err := h.open(ctx, id)
	if err != nil || w.record.Job.State.Ended() {
		return err
	}
	return w.do()
}

// work is one runner's work on one job.
type work struct {
	Host
	ctx    context.Context
	spec   store.Spec
	record store.Record
	steps  []plan.Located
	digest string
	// over are the jobs that were over when a simulation began; nil for a runner that came later.
	over map[proto.JobID]bool
}

func (h Host) open(ctx context.Context, id proto.JobID) (*work, error) {
	if h.Now == nil {
		h.Now = time.Now
	}
	w := &work{Host: h, ctx: ctx}
	var err error
	if w.spec, err = h.Jobs.Spec(id); err != nil {
		return nil, err
	}
	if w.record, err = h.Jobs.Load(id); err != nil {
		return nil, err
	}
	w.steps, w.digest = w.spec.Args.Plan.Steps(), w.spec.Args.Plan.Digest()
	return w, nil
}

func (w *work) do() error {
	if w.spec.Args.Kind == proto.KindApply {
		release, err := w.Jobs.OwnApplication()
		if err != nil {
			return err
		}
		if release == nil {
			return w.end(store.Ending{State: proto.JobFailed, Error: &proto.Error{Code: proto.CodeGate, Gate: gates.Alone,
				Message: "cannot apply the plan: gate 7 (alone) is closed: another job changes the data of this application", Advice: proto.Advice{Code: proto.AdviceJobs}}})
		}
		defer release()
	}
	if w.record.Job.State == proto.JobAccepted {
		if err := w.begin(); err != nil {
			return w.refused(err)
		}
	}
	if w.record.Ending == nil {
		if err := w.goThrough(); err != nil {
			return err
		}
	}
	return w.conclude()
}

// refused ends a job that a rule forbids to begin; any other error is for the next runner.
func (w *work) refused(err error) error {
	var refusal *proto.Error
	if !errors.As(err, &refusal) || refusal.Code == proto.CodeStorage {
		return err
	}
	return w.end(store.Ending{State: proto.JobFailed, Error: refusal})
}

// goThrough does the steps until one of them, or a wish to cancel, decides how the job ends.
func (w *work) goThrough() error {
	for _, step := range w.steps {
		if cancelled, err := w.cancelled(); err != nil || cancelled {
			return err
		}
		do := w.simulate
		if w.spec.Args.Kind == proto.KindApply {
			do = w.apply
		}
		if err := do(step); err != nil || w.record.Ending != nil {
			return err
		}
	}
	return w.succeed()
}

// cancelled sets the ending when somebody asked for it and a step is still to do.
func (w *work) cancelled() (bool, error) {
	asked, err := w.Jobs.CancelAsked(w.record.Job.ID)
	if err != nil || asked == nil || w.allDone() {
		return false, err
	}
	w.record.Job.CancelAsked, w.record.Job.CancelNow = true, asked.Now
	w.record.Ending = &store.Ending{State: proto.JobCancelled, Error: &proto.Error{Code: proto.CodeCancelled,
		Message: proto.Textf("cancelled by %s before the next step", asked.By()), Advice: proto.Advice{Code: proto.AdvicePlanStatus}}}
	return true, w.save()
}

// allDone says that nothing is left to run.
func (w *work) allDone() bool {
	for _, step := range w.record.Job.Steps {
		switch {
		case step.State == proto.StepVerified:
		case step.State == proto.StepSimulated && w.spec.Args.Kind == proto.KindSimulate:
		default:
			return false
		}
	}
	return true
}
