package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/fleet"
)

// The steps.
const (
	stepPreflight = "preflight"
	stepLocal     = "local"
	stepPrepare   = "prepare"
	stepAnnounce  = "announce"
	stepDeploy    = "deploy"
	stepRollback  = "rollback"
	stepRestart   = "restart"
	stepVerify    = "verify"
	stepHealth    = "health"
	stepReport    = "report"
)

// step is one part of an operation.
type step struct {
	name      string
	do        func(context.Context) error
	skippable bool
	rolls     bool // done for one wave of hosts after the other, together with its neighbour
}

// goOn is a failure of a step that the following steps survive: what can still be
// done for the other hosts is done, and the failure is told at the end.
type goOn struct{ error }

func (g goOn) Unwrap() error { return g.error }

// run is one operation under way.
type run struct {
	World
	Options
	operation string
	argv      []string // the local command in the middle; empty for restart
	began     time.Time
	hosts     []*host
	revision  string // of the work tree, where it is deployed from
	commanded bool   // the local command was started
	switched  bool   // current was seen to have moved on every host that answered
	ctrlC     bool   // a local command ended by Ctrl-C, of which ctx may not know yet: the terminal tells both
	wave      wave   // the hosts whose turn it is
	halted    bool   // the roll stopped at the failure budget
	reports   []event.StepReport
	failure   error // the first one

	mu    sync.Mutex
	doing string // for the person who presses Ctrl-C
}

func newRun(operation string, world World, options Options) *run {
	r := &run{World: world, Options: options, operation: operation}
	for _, name := range options.Environment.Hosts {
		r.hosts = append(r.hosts, &host{target: fleet.Target{Environment: options.Environment.Name, Host: name}})
	}
	return r
}

// all goes through the steps and always ends with a report.
func (r *run) all(ctx context.Context, steps []step) error {
	r.began = r.Now()
	if err := r.admit(ctx, steps); err != nil {
		return err
	}
	if r.Environment.Health == nil {
		steps = slices.DeleteFunc(steps, func(s step) bool { return s.name == stepHealth })
	}
	defer r.release()
	r.emit(event.Event{
		Kind: event.Begin, Operation: r.operation, Environment: r.Environment.Name, Operator: r.Operator,
		Hosts: r.Environment.Hosts, Steps: names(steps), DryRun: r.DryRun,
	})
	if r.DryRun {
		return r.rehearse(ctx, steps)
	}
	defer r.announceInterruption(ctx)()
	r.goThrough(ctx, steps)
	return r.report(ctx, steps)
}

// goThrough does the steps until one stops the operation.
func (r *run) goThrough(ctx context.Context, steps []step) {
	for len(steps) > 0 {
		rolling := 0
		for rolling < len(steps) && steps[rolling].rolls {
			rolling++
		}
		goesOn := false
		if rolling > 0 {
			goesOn = r.roll(ctx, steps[:rolling])
		} else {
			goesOn = r.one(ctx, steps[0])
		}
		if !goesOn {
			return
		}
		steps = steps[max(rolling, 1):]
	}
}

// admit checks what was typed, before any host is spoken to.
func (r *run) admit(ctx context.Context, steps []step) error {
	if err := checkSkip(r.Skip, steps); err != nil {
		return err
	}
	if r.operation != opRestart && len(r.argv) == 0 {
		return &exit.Error{
			Code:    exit.BadInput,
			Message: fmt.Sprintf("cannot %[1]s %[2]s: hosts.toml has no `%[1]s = [\"command\", \"argument\"]` in [environments.%[2]s]", r.operation, r.Environment.Name),
			Next:    "rpctl status --env " + r.Environment.Name,
		}
	}
	if r.Environment.Confirm && !r.DryRun && !r.Yes {
		return r.confirm(ctx)
	}
	return nil
}

// one runs a step, tells of it, and says whether the next one may run.
func (r *run) one(ctx context.Context, s step) bool {
	if ctx.Err() != nil {
		r.fail(ctx.Err())
		return false
	}
	if slices.Contains(r.Skip, s.name) {
		r.reports = append(r.reports, event.StepReport{Step: s.name, Result: "skipped"})
		r.emit(event.Event{Kind: event.Step, Step: s.name, State: event.Skipped})
		return true
	}
	r.emit(event.Event{Kind: event.Step, Step: s.name, State: event.Began, Hosts: r.wave.names(), Text: r.wave.title})
	began := r.Now()
	r.busy(s.name)
	err := s.do(ctx)
	if err != nil && r.stopped(ctx) {
		err = &exit.Error{Code: exit.Interrupted, Message: "interrupted in step " + s.name, Err: err}
	}
	result := "ok"
	if err != nil {
		result = exit.From(err).Code.String()
		r.fail(err)
	}
	took := r.Now().Sub(began).Milliseconds()
	r.noteStep(s.name, result, took)
	r.emit(event.Event{
		Kind: event.Step, Step: s.name, State: event.Ended, Result: result, DurationMS: took, Hosts: r.wave.names(), Text: r.wave.title,
	})
	var soft goOn
	return err == nil || (errors.As(err, &soft) && ctx.Err() == nil)
}

// stopped says that the operator has pressed Ctrl-C.
func (r *run) stopped(ctx context.Context) bool { return ctx.Err() != nil || r.ctrlC }

// noteStep keeps how a step went; a step that was done for several waves is one, with its first failure.
func (r *run) noteStep(name, result string, took int64) {
	for i := range r.reports {
		known := &r.reports[i]
		if known.Step != name {
			continue
		}
		known.DurationMS += took
		if known.Result == "ok" {
			known.Result = result
		}
		return
	}
	r.reports = append(r.reports, event.StepReport{Step: name, Result: result, DurationMS: took})
}

// fail keeps the first failure; an interruption is told before any other.
func (r *run) fail(err error) {
	if r.failure == nil || exit.From(err).Code == exit.Interrupted {
		r.failure = err
	}
}

// announceInterruption says what is still in progress when ctx ends. What it
// returns ends the watch.
func (r *run) announceInterruption(ctx context.Context) func() {
	told := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(told)
		r.mu.Lock()
		doing := r.doing
		r.mu.Unlock()
		r.emit(event.Event{
			Kind: event.Warning,
			Text: "interrupted: nothing new is started; in progress: " + doing + ". Ctrl-C again leaves at once",
		})
	})
	return func() {
		if !stop() {
			<-told
		}
	}
}

// busy says what is in progress, for announceInterruption.
func (r *run) busy(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.doing = what
}

func (r *run) emit(e event.Event) {
	e.Time = r.Now().UTC()
	r.Sink.Emit(e)
}

// confirm has the operator type the environment's name.
func (r *run) confirm(ctx context.Context) error {
	name := r.Environment.Name
	if r.Confirm == nil {
		return &exit.Error{
			Code:    exit.Refused,
			Message: fmt.Sprintf("%s wants to be confirmed, and there is no terminal to ask on", name),
			Next:    r.Confirmed,
		}
	}
	question := fmt.Sprintf("This will %s %s (%s).\nType %q to go on: ",
		r.operation, name, strings.Join(r.Environment.Hosts, ", "), name)
	typed, err := r.World.Confirm(ctx, question)
	if ctx.Err() != nil {
		return &exit.Error{Code: exit.Interrupted, Message: "interrupted: nothing was changed", Err: ctx.Err()}
	}
	if err != nil {
		return exit.From(err)
	}
	if strings.TrimSpace(typed) != name {
		return &exit.Error{Code: exit.Refused, Message: "not confirmed: nothing was changed"}
	}
	return nil
}

// checkSkip refuses names that are no step, or a step that must not be left out.
func checkSkip(skip []string, steps []step) error {
	var may []string
	for _, s := range steps {
		if s.skippable {
			may = append(may, s.name)
		}
	}
	for _, name := range skip {
		if slices.Contains(may, name) {
			continue
		}
		message := fmt.Sprintf("cannot skip %q: there is no such step", name)
		if slices.Contains(names(steps), name) {
			message = fmt.Sprintf("cannot skip %q: it is what makes the result safe", name)
		}
		if len(may) > 0 {
			message += "; steps that can be skipped: " + strings.Join(may, ", ")
		}
		return &exit.Error{Code: exit.BadInput, Message: message}
	}
	return nil
}

func names(steps []step) []string {
	var all []string
	for _, s := range steps {
		all = append(all, s.name)
	}
	return append(all, stepReport)
}
