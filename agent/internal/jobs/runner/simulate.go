package runner

import (
	"errors"
	"fmt"

	"github.com/re-connect/rpctl/agent/internal/jobs/console"
	"github.com/re-connect/rpctl/agent/internal/jobs/store"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

// simulate runs a step's command with --dry-run and keeps what it showed. What is verified is done with.
func (w *work) simulate(step plan.Located) error {
	if state := w.record.Step(step.ID).State; state == proto.StepSimulated || state == proto.StepVerified {
		return nil
	}
	if w.record.Current() == nil { // the command of a runner that died is there already
		if err := w.roomForDryRun(); err != nil {
			return w.noRoom(step.ID, err)
		}
	}
	w.set(step.ID, proto.StepChecking, "")
	result, err := w.show(step, store.Simulate)
	if err != nil {
		return w.missed(step.ID, proto.StepFailed, "simulate", err)
	}
	done := w.set(step.ID, proto.StepSimulated, "")
	done.Result, done.Ended = &result, w.now()
	return w.save()
}

// noRoom ends a simulation past a limit of the host; any other error is for the next runner.
func (w *work) noRoom(id plan.StepID, err error) error {
	var refusal *proto.Error
	if !errors.As(err, &refusal) || refusal.Code != proto.CodeLimit {
		return err
	}
	return w.fail(id, proto.StepFailed, store.Ending{State: proto.JobFailed, Error: refusal})
}

// unseenError is a dry run that did not show what it should: the step's, not the host's, failure.
type unseenError struct{ err error }

func (e *unseenError) Error() string { return e.err.Error() }
func (e *unseenError) Unwrap() error { return e.err }

// show is what a dry run of a step prints. An *unseenError is an answer, any other error is for the next runner.
func (w *work) show(step plan.Located, purpose store.Purpose) (proto.StepResult, error) {
	out, err := w.dryRun(step, purpose)
	switch {
	case errors.Is(err, ErrNotStarted):
		return proto.StepResult{}, &unseenError{err}
	case err != nil:
		return proto.StepResult{}, err
	case out.gone:
		return proto.StepResult{}, &unseenError{errors.New("the dry run left no record of its end")}
	case out.run.Stdout+out.run.Stderr > console.MaxPrinted:
		return proto.StepResult{}, &unseenError{fmt.Errorf("the dry run printed more than %d MiB and was stopped", console.MaxPrinted>>20)}
	}
	result, err := w.result(step, out)
	if err != nil {
		return result, &unseenError{err}
	}
	return result, nil
}

// missed ends the job at a step before anything real was run, unless err is for the next runner. A
// dry run that was stopped because somebody asked for it is no failure.
func (w *work) missed(id plan.StepID, state proto.StepState, verb string, err error) error {
	var unseen *unseenError
	if !errors.As(err, &unseen) {
		return err
	}
	asked, failed := w.Jobs.CancelAsked(w.record.Job.ID)
	if failed != nil {
		return failed
	}
	if asked != nil && asked.Now {
		return w.cancelNow(id, asked, false)
	}
	code := proto.CodeHost
	if errors.Is(err, ErrNotStarted) {
		code = proto.CodePolkit
	}
	return w.fail(id, state, store.Ending{State: proto.JobFailed, Said: saidIn(err), Error: &proto.Error{Code: code,
		Message: proto.Textf("cannot %s step %s: %v", verb, id, err), Advice: proto.Advice{Code: proto.AdviceAttach, Job: w.record.Job.ID}}})
}

// cancelNow ends the job at a step whose command was stopped. touched says that data may have changed.
func (w *work) cancelNow(id plan.StepID, asked *store.Cancel, touched bool) error {
	w.record.Job.CancelAsked, w.record.Job.CancelNow = true, true
	ending := store.Ending{State: proto.JobCancelled, Error: &proto.Error{Code: proto.CodeCancelled,
		Message: proto.Textf("cancelled by %s: the command of step %s was stopped", asked.By(), id), Advice: proto.Advice{Code: proto.AdvicePlanStatus}}}
	state := proto.StepPending
	switch {
	case touched:
		state, ending.Look = proto.StepInterrupted, id
	case w.spec.Args.Kind == proto.KindApply:
		state = w.untouched(id)
	}
	return w.fail(id, state, ending)
}

// untouched is the state of a step of which nothing real was run in this job: what it was before.
func (w *work) untouched(id plan.StepID) proto.StepState {
	if state := w.record.Step(id).State; state != proto.StepChecking {
		return state // one that waits for a word still does
	}
	return proto.StepSimulated
}
