package runner

import (
	"github.com/re-connect/rpctl/agent/internal/gates"
	"github.com/re-connect/rpctl/agent/internal/jobs/store"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

// resolve follows the operator's word on a step that failed or was interrupted, after a fresh dry run
// has shown that the word fits. Until something real is run the step stays what it was: a step that
// waits for a word must not come out of that by a crash.
func (w *work) resolve(step plan.Located) error {
	word := ""
	for _, r := range w.spec.Args.Resolve {
		if r.Step == step.ID {
			word = r.As
		}
	}
	before := w.record.Step(step.ID).State
	result, err := w.show(step, store.Check)
	if err != nil {
		return w.missed(step.ID, before, "look at", err)
	}
	job := w.record.Step(step.ID)
	job.Result, job.Remaining = &result, &result.Moved
	forecast := w.record.Forecasts[step.Index]
	why := ""
	if word == proto.ResolveDone {
		why = left(result, forecast, w.Config.Console.Tolerance)
	} else {
		why = leadsTo(result, forecast, w.record.Simulated[step.Index], w.Config.Console.Tolerance)
	}
	if why == "" {
		why = w.switched()
	}
	switch {
	case why != "":
		return w.fail(step.ID, before, store.Ending{State: proto.JobFailed, Error: &proto.Error{Code: proto.CodeGate, Gate: gates.Unresolved,
			Message: proto.Textf("step %s stays %s: gate 8 (unresolved) is closed: it cannot be resolved as %s: %s; --resolve it again once what is left is simulated anew and approved", step.ID, before, word, why),
			Advice:  w.anew()}})
	case result.Moved == 0:
		job.Resolved = word
		return w.verified(step, result) // whatever the word was, there is nothing to run
	}
	if stopped, err := w.stoppedBefore(step.ID); err != nil || stopped {
		return err
	}
	job.Resolved = word
	return w.run(step)
}
