package runner

import (
	"fmt"
	"time"

	"github.com/re-connect/rpctl/agent/internal/audit"
	"github.com/re-connect/rpctl/agent/internal/jobs/store"
	"github.com/re-connect/rpctl/agent/internal/plans"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

func (w *work) now() time.Time { return w.Now().UTC().Truncate(time.Millisecond) }

// save writes where the job is. An apply tells the plan first: whoever asks the gates
// must never find a step that runs without its mark.
func (w *work) save() error {
	if w.spec.Args.Kind == proto.KindApply && w.record.Job.State != proto.JobAccepted {
		steps := plans.Steps{Job: w.record.Job.ID, Time: w.now(), Steps: w.record.Job.Steps}
		if steps.Begun() {
			steps.BreakGlass = w.spec.Args.BreakGlass
		}
		if err := w.Plans.SaveSteps(w.digest, steps); err != nil {
			return err
		}
	}
	return w.saveJob()
}

// saveJob is save where no step changed.
func (w *work) saveJob() error {
	if err := w.Jobs.Save(w.record); err != nil {
		return err
	}
	if w.Saved != nil {
		return w.Saved(w.record)
	}
	return nil
}

// set changes a step in memory; a save must follow.
func (w *work) set(id plan.StepID, state proto.StepState, detail string) *proto.JobStep {
	step := w.record.Step(id)
	step.State, step.Detail, step.Gate = state, proto.HostText(detail), 0
	if step.Began.IsZero() {
		step.Began = w.now()
	}
	return step
}

// fail decides that the job ends with this step. look asks for a dry run that tells what is left of it.
func (w *work) fail(id plan.StepID, state proto.StepState, ending store.Ending) error {
	detail, gate := "", 0
	if ending.Error != nil {
		detail, gate = string(ending.Error.Message), ending.Error.Gate
	}
	step := w.set(id, state, detail)
	step.Gate, step.Ended = gate, w.now()
	w.record.Ending = &ending
	return w.save()
}

// entry is an audit entry of this job: who asked for it, and for what.
func (w *work) entry(action string) proto.AuditEntry {
	return proto.AuditEntry{
		Action: action, Operator: w.spec.Operator, User: w.spec.User, UID: w.spec.UID, From: w.spec.From,
		Purpose: string(w.spec.Args.Kind), Revision: w.record.Revision,
	}
}

func (w *work) tell(action, result, format string, args ...any) error {
	entry := w.entry(action)
	entry.Result = result
	entry.Detail = fmt.Sprintf("job %s: ", w.record.Job.ID) + fmt.Sprintf(format, args...)
	_, err := w.Audit.Append(entry)
	return err
}

// stepEnded tells the audit where a step that changed data stands now.
func (w *work) stepEnded(id plan.StepID) error {
	step, detail := w.record.Step(id), ""
	if w.record.Ending != nil {
		detail = w.record.Ending.Unsaid()
	}
	return w.tell(audit.ActionStepEnd, string(step.State), "step %s %s", id, detail)
}

// conclude does what is left once it is decided how the job ends.
func (w *work) conclude() error {
	ending := *w.record.Ending
	if ending.Look != "" {
		if err := w.look(ending.Look); err != nil {
			return err
		}
		ending = *w.record.Ending
	}
	return w.end(ending)
}

// end writes that the job has ended. The audit is told first: a line twice is better than none.
func (w *work) end(ending store.Ending) error {
	if err := w.tell(audit.ActionJobEnd, string(ending.State), "plan %s %s", w.digest, ending.Unsaid()); err != nil {
		return err
	}
	job := &w.record.Job
	job.State, job.Error, job.Ended = ending.State, ending.Error, w.now()
	if err := w.saveJob(); err != nil {
		return err
	}
	if err := w.Jobs.Prune(w.now()); err != nil && w.Log != nil {
		w.Log(err)
	}
	return nil
}
