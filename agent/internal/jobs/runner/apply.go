package runner

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/re-connect/rpctl/agent/internal/audit"
	"github.com/re-connect/rpctl/agent/internal/gates"
	"github.com/re-connect/rpctl/agent/internal/jobs/store"
	"github.com/re-connect/rpctl/agent/internal/plans"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

// apply does one step: a dry run that must show the forecast, the real run, and a dry run that must
// show nothing left. Where it begins depends on what a runner before it has done.
func (w *work) apply(step plan.Located) error {
	state := w.record.Step(step.ID).State
	real := w.record.Last(step.ID, store.Real) != nil
	switch {
	case state == proto.StepVerified:
		return nil
	case state == proto.StepVerifying && real:
		return w.verify(step)
	case real:
		return w.run(step)
	case gates.NeedsWord(state):
		return w.resolve(step)
	default:
		return w.check(step)
	}
}

// check is gate 5: immediately before the step, the data is what was approved.
func (w *work) check(step plan.Located) error {
	w.set(step.ID, proto.StepChecking, "")
	result, err := w.show(step, store.Check)
	if err != nil {
		return w.missed(step.ID, proto.StepStopped, "check", err)
	}
	w.record.Step(step.ID).Result = &result
	why := differs(result, w.record.Forecasts[step.Index], w.record.Simulated[step.Index], w.Config.Console.Tolerance)
	if why == "" {
		why = w.switched()
	}
	if why != "" {
		return w.fail(step.ID, proto.StepStopped, store.Ending{State: proto.JobFailed, Error: &proto.Error{Code: proto.CodeGate, Gate: gates.Drift,
			Message: proto.Textf("step %s was not begun: gate 5 (drift) is closed: %s; a new simulation shows what is left, to be approved", step.ID, why),
			Advice:  w.anew()}})
	}
	if stopped, err := w.stoppedBefore(step.ID); err != nil || stopped {
		return err
	}
	return w.run(step)
}

// stoppedBefore ends the job immediately before the real run of a step, where an operator asked for that or
// the approval was withdrawn.
func (w *work) stoppedBefore(id plan.StepID) (bool, error) {
	if cancelled, err := w.cancelledBefore(id); err != nil || cancelled {
		return cancelled, err
	}
	why, err := w.withdrawn()
	if err != nil {
		return false, err
	}
	if why != "" {
		return true, w.fail(id, w.unapproved(id), store.Ending{State: proto.JobFailed, Error: &proto.Error{Code: proto.CodeGate, Gate: gates.Approval,
			Message: proto.Textf("step %s was not begun: gate 3 (approval) is closed: %s", id, why),
			Advice:  proto.Advice{Code: proto.AdviceApprove}}})
	}
	return w.unproved(id)
}

// unproved ends the job before a real run that the process which executes it would refuse.
func (w *work) unproved(id plan.StepID) (bool, error) {
	carried, err := w.carried(id)
	if err != nil {
		return false, err
	}
	_, why := w.Plans.Verify(carried, *w.Config.Console, w.record.Revision, w.now())
	if why == nil {
		return false, nil
	}
	ending := &proto.Error{Code: proto.CodeGate, Message: proto.Textf("step %s was not begun: %v", id, why), Advice: proto.Advice{Code: proto.AdvicePlanStatus}}
	var refusal *proto.Error
	if errors.As(why, &refusal) {
		ending.Gate, ending.Advice = refusal.Gate, refusal.Advice
	}
	return true, w.fail(id, w.unapproved(id), store.Ending{State: proto.JobFailed, Error: ending})
}

// carried is what goes along with the real run of a step.
func (w *work) carried(id plan.StepID) (plans.Carried, error) {
	evidence, err := w.Plans.Evidence(w.digest, w.now())
	if err != nil {
		return plans.Carried{}, err
	}
	carried := plans.Carried{Start: w.spec.Args, Operator: w.spec.Operator, Created: w.spec.Created, Step: id, Approval: w.record.Approval}
	if carried.Approval == nil && w.spec.Args.BreakGlass == "" { // an agent before Record.Approval began the job
		carried.Approval = evidence.SignedApproval
	}
	if evidence.SignedSimulation != nil {
		carried.Simulation = *evidence.SignedSimulation
	}
	return carried, nil
}

// withdrawn says why the approval that the job began with no longer counts: it was revoked, or its key was
// taken out of the approvers. An approval that only expired meanwhile stops no job that is under way, and where one
// person may break the glass, a job behind a broken one has none.
func (w *work) withdrawn() (string, error) {
	if w.spec.Args.BreakGlass != "" && w.Config.Console.SelfApproval {
		return "", nil
	}
	evidence, err := w.Plans.Evidence(w.digest, w.now())
	switch {
	case err != nil:
		return "", err
	case evidence.Approval == nil:
		return "the approval no longer counts: " + cmp.Or(evidence.Doubts[gates.Approval], "it is gone"), nil
	}
	if w.record.Approval != nil && evidence.Approval.Revoked == "" {
		return evidence.Withdrawn(*w.record.Approval), nil // a newer approval may have taken its place since
	}
	return evidence.Approval.Revoked, nil
}

// unapproved is where a step stands that was not begun for want of an approval: one that waits for a word still does.
func (w *work) unapproved(id plan.StepID) proto.StepState {
	if state := w.record.Step(id).State; state != proto.StepChecking {
		return state
	}
	return proto.StepStopped
}

// anew is what to type once the data is not what was approved.
func (w *work) anew() proto.Advice {
	return proto.Advice{Code: proto.AdviceSimulate}
}

// switched says that another release is deployed than when the job began.
func (w *work) switched() string {
	release, err := w.Releases.Current()
	switch {
	case err != nil:
		return err.Error()
	case release.Revision != w.record.Revision:
		return fmt.Sprintf("the application was %.40q when the job began and is %.40q now", w.record.Revision, release.Revision)
	}
	return ""
}

// cancelledBefore puts a step that was only checked back where it was, when somebody asked to stop.
func (w *work) cancelledBefore(id plan.StepID) (bool, error) {
	asked, err := w.Jobs.CancelAsked(w.record.Job.ID)
	if err != nil || asked == nil {
		return false, err
	}
	w.set(id, w.untouched(id), "")
	return w.cancelled()
}

// run is the real run, and everything that follows from how it ended.
func (w *work) run(step plan.Located) error {
	before := w.record.Step(step.ID).State
	resumed := w.record.Last(step.ID, store.Real) != nil
	if !resumed {
		job := w.set(step.ID, proto.StepRunning, "")
		job.Remaining = nil // what was left before is not what will be
		if job.First == nil && !gates.NeedsWord(before) {
			job.First = &w.record.Forecasts[step.Index].Moved
		}
		if err := w.tell(audit.ActionStep, "", "step %s: %s", step.ID, step.Shell(false)); err != nil {
			return err
		}
	}
	out, err := w.realRun(step)
	switch {
	case errors.Is(err, ErrNotStarted):
		return w.neverBegan(step.ID, before, proto.CodePolkit, proto.AdviceHostDoctor, err)
	case err != nil:
		return err
	case out.gone:
		return w.broken(step, proto.StepInterrupted, proto.JobInterrupted, errors.New("it left no record of its end: the host went down, or it was killed"))
	// Where another runner started the run, it is not known whether the step waited for a word before.
	case !resumed && out.end.NotRun() && out.run.Stdout == 0:
		return w.neverBegan(step.ID, before, proto.CodeGate, proto.AdvicePlanStatus, &saidError{"rp-agent console refused it, and nothing was run", w.lastWords(out)})
	case !out.end.OK():
		return w.brokenBy(step, out)
	}
	if _, err := w.result(step, out); err != nil {
		return w.broken(step, proto.StepFailed, proto.JobFailed, fmt.Errorf("what it printed is not what a migration prints: %w", err))
	}
	return w.verify(step)
}

// neverBegan is a real run that certainly did not reach the application: the step is where it was.
func (w *work) neverBegan(id plan.StepID, before proto.StepState, code proto.Code, next proto.AdviceCode, why error) error {
	state, step := proto.StepStopped, w.record.Step(id)
	if !gates.NeedsWord(before) {
		step.First = nil
	} else {
		state, step.Remaining = before, &step.Result.Moved
	}
	return w.fail(id, state, store.Ending{State: proto.JobFailed, Said: saidIn(why), Error: &proto.Error{Code: code,
		Message: proto.Textf("cannot run step %s: %v", id, why), Advice: proto.Advice{Code: next}}})
}

// brokenBy is a real run that ended badly.
func (w *work) brokenBy(step plan.Located, out outcome) error {
	if stopped, err := w.stopped(step.ID); err != nil || stopped {
		return err
	}
	state := proto.StepFailed
	if out.end.Cut() {
		state = proto.StepInterrupted
	}
	return w.broken(step, state, proto.JobFailed, &saidError{out.end.String(), w.lastWords(out)})
}

// stopped ends the job as cancelled when somebody had the real run of a step stopped before it ended. How
// it ended then says little: Symfony's console takes a TERM for a wish, and ends with status 0.
func (w *work) stopped(id plan.StepID) (bool, error) {
	asked, err := w.Jobs.CancelAsked(w.record.Job.ID)
	if err != nil || asked == nil || !asked.Now || asked.Time.Truncate(time.Millisecond).After(w.record.Last(id, store.Real).Ended) {
		return false, err
	}
	if err := w.cancelNow(id, asked, true); err != nil {
		return false, err
	}
	return true, w.stepEnded(id)
}

// broken ends the job at a step that may have changed data. What is left of it is looked at before the end.
func (w *work) broken(step plan.Located, state proto.StepState, job proto.JobState, why error) error {
	err := w.fail(step.ID, state, store.Ending{State: job, Look: step.ID, Said: saidIn(why), Error: &proto.Error{Code: proto.CodeHost,
		Message: proto.Textf("step %s is %s: %v; after a look at what remains your word on it is --apply with --resolve %s=rerun or %s=done and --reason", step.ID, state, why, step.ID, step.ID),
		Advice:  proto.Advice{Code: proto.AdvicePlanStatus}}})
	if err != nil {
		return err
	}
	return w.stepEnded(step.ID)
}

// verify is the dry run after a real one: nothing is left, and the totals are the forecast's.
func (w *work) verify(step plan.Located) error {
	w.set(step.ID, proto.StepVerifying, "")
	result, err := w.show(step, store.Verify)
	var unseen *unseenError
	if err != nil && !errors.As(err, &unseen) {
		return err
	}
	why := err
	if more := left(result, w.record.Forecasts[step.Index], w.Config.Console.Tolerance); err == nil && more != "" {
		why = errors.New(more)
	}
	if why != nil {
		if stopped, err := w.stopped(step.ID); err != nil || stopped {
			return err
		}
		return w.broken(step, proto.StepUnverified, proto.JobFailed, fmt.Errorf("the command ended well, but the dry run after it does not show that: %w", why))
	}
	return w.verified(step, result)
}

// verified is the end of a step that did exactly what was approved.
func (w *work) verified(step plan.Located, result proto.StepResult) error {
	var none int64
	done := w.set(step.ID, proto.StepVerified, "")
	done.Result, done.Remaining, done.Ended = &result, &none, w.now()
	if err := w.save(); err != nil {
		return err
	}
	return w.stepEnded(step.ID)
}

// look tells what a step left, once it is decided that the job ends with it. That it cannot be told changes nothing.
func (w *work) look(id plan.StepID) error {
	for _, step := range w.steps {
		if step.ID != id {
			continue
		}
		result, err := w.show(step, store.Look)
		var unseen *unseenError
		if err != nil && !errors.As(err, &unseen) {
			return err
		}
		job := w.record.Step(id)
		if err == nil {
			job.Result, job.Remaining = &result, &result.Moved
		} else {
			job.Detail += proto.HostText("; what remains is not known: " + err.Error())
		}
	}
	w.record.Ending.Look = ""
	return w.save()
}
