package runner

import (
	"fmt"
	"slices"

	"github.com/re-connect/rpctl/agent/internal/gates"
	"github.com/re-connect/rpctl/agent/internal/plans"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

// takeUp begins a simulation. Of a plan that has begun the steps that are verified keep what this host
// has recorded of them and are never looked at again; nobody's word but the host's own says which those are.
func (w *work) takeUp() error {
	if w.record.Revision == "" {
		return w.unsigned("gate 1 (simulation) is closed: the release says no revision, in a file REVISION, and so nobody could tell whether another is deployed later")
	}
	if err := w.Plans.Keep(w.spec.Args.Plan); err != nil {
		return err
	}
	e, err := w.Plans.Evidence(w.digest, w.now())
	if err != nil {
		return err
	}
	if w.over, err = w.ended(); err != nil {
		return err
	}
	if lost := w.lost(e); lost != nil {
		return lost
	}
	for i := range w.record.Job.Steps {
		step := &w.record.Job.Steps[i]
		recorded, there := recordedOf(e.Steps, step.Step)
		if !there || recorded.State != proto.StepVerified {
			continue
		}
		if w.former(e) == nil {
			return &proto.Error{Code: proto.CodeGate,
				Message: proto.Textf("cannot simulate the rest of the plan: step %s is verified, and the simulation that it was run by does not count any more%s; put the steps that are left into a plan of their own", step.Step, doubt(e)),
				Advice:  proto.Advice{Code: proto.AdvicePlanNew}}
		}
		*step = recorded
	}
	return nil
}

// lost refuses a simulation where the host has signed that a step was done and its record does not say so: a
// new one would take the place of the only proof that is left, and let the step run again.
func (w *work) lost(e plans.Evidence) *proto.Error {
	former := w.former(e)
	if former == nil {
		return nil
	}
	for _, step := range former.Steps {
		if recorded, _ := recordedOf(e.Steps, step.Step); step.Done && recorded.State != proto.StepVerified {
			refusal := w.unsigned(fmt.Sprintf("step %s was verified before the last one, and this host's record of the steps does not say so: it was lost, or cut back; the audit (rp-agent history) tells which steps are verified: put those that are left into a plan of their own", step.Step))
			refusal.Advice = proto.Advice{Code: proto.AdvicePlanNew}
			return refusal
		}
	}
	return nil
}

func doubt(e plans.Evidence) string {
	if why := e.Doubts[gates.Simulation]; why != "" {
		return ": " + why
	}
	return ""
}

// recordedOf is where a step is, as the host's own record of the plan has it.
func recordedOf(steps plans.Steps, id plan.StepID) (proto.JobStep, bool) {
	at := slices.IndexFunc(steps.Steps, func(s proto.JobStep) bool { return s.Step == id })
	if at < 0 {
		return proto.JobStep{}, false
	}
	return steps.Steps[at], true
}

// former is this host's earlier simulation of this very plan, or nil.
func (w *work) former(e plans.Evidence) *proto.Simulation {
	s := e.Simulation
	if s == nil || s.Plan != w.digest || s.Host != w.Name || s.Environment != w.Config.Environment || len(s.Steps) != len(w.steps) {
		return nil
	}
	return s
}

// ended are the jobs that are over.
func (w *work) ended() (map[proto.JobID]bool, error) {
	all, err := w.Jobs.List()
	if err != nil {
		return nil, err
	}
	over := map[proto.JobID]bool{}
	for _, record := range all {
		over[record.Job.ID] = record.Job.State.Ended()
	}
	return over, nil
}

// overBefore says that a job was over when this simulation began. A runner that has seen the beginning
// knows; the times on the disk, which another has to go by, are wrong where the clock was moved.
func (w *work) overBefore(job proto.Job) bool {
	if w.over != nil {
		return w.over[job.ID]
	}
	return job.State.Ended() && !job.Ended.After(w.record.Job.Created)
}

// wentOn says why dry runs cannot be signed: a real run of this plan came between them.
func (w *work) wentOn(e plans.Evidence) (why string, err error) {
	all, err := w.Jobs.List()
	if err != nil {
		return "", err
	}
	for _, other := range all {
		job := other.Job
		if job.Kind != proto.KindApply || job.Plan != w.digest {
			continue
		}
		if !w.overBefore(job) {
			return fmt.Sprintf("gate 7 (alone) is closed: job %s applied this plan meanwhile", job.ID), nil
		}
	}
	for _, step := range w.record.Job.Steps {
		recorded, _ := recordedOf(e.Steps, step.Step)
		if step.State == proto.StepVerified && w.former(e) == nil {
			return fmt.Sprintf("the simulation that step %s was run by does not count any more%s", step.Step, doubt(e)), nil
		}
		if (recorded.State == proto.StepVerified) != (step.State == proto.StepVerified) {
			return fmt.Sprintf("step %s was verified meanwhile", step.Step), nil
		}
	}
	return "", nil
}

// rest is the steps of a new simulation. Where what was approved still is what will happen, its figures
// are kept to the letter, and so is the approval; otherwise the steps that are not verified have new
// figures, which somebody must approve anew.
func (w *work) rest(e plans.Evidence, forecasts []plan.Forecast) []proto.SimulatedStep {
	former := w.former(e)
	steps := make([]proto.SimulatedStep, len(w.record.Job.Steps))
	for i, step := range w.record.Job.Steps {
		if step.State == proto.StepVerified {
			steps[i] = former.Steps[i]
			steps[i].Done = true
			continue
		}
		steps[i] = proto.SimulatedStep{Step: step.Step, Result: *step.Result, Forecast: forecasts[i]}
	}
	if former != nil && e.Steps.Begun() && w.holds(e, former.Steps, steps) {
		return former.Steps
	}
	return steps
}

// holds says that gate 5 would let every step pass that is left, and gate 8 every word, by the former figures.
func (w *work) holds(e plans.Evidence, former, steps []proto.SimulatedStep) bool {
	were, are := turns(w.spec.Args.Plan, former), turns(w.spec.Args.Plan, steps)
	for i, step := range steps {
		if step.Done {
			continue
		}
		turn, f := are[i], step.Forecast
		turn.Figures = plan.Figures{Origin: f.OriginBefore, Destination: f.DestinationBefore, Moved: f.Moved}
		fits := differs
		if recorded, _ := recordedOf(e.Steps, step.Step); gates.NeedsWord(recorded.State) {
			fits = leadsTo
		}
		if fits(turn, former[i].Forecast, were[i], w.Config.Console.Tolerance) != "" {
			return false
		}
	}
	return true
}

// marks is where the plan's steps are after a simulation: one that waits for a word still does, and
// what is left of it is known.
func (w *work) marks(e plans.Evidence) []proto.JobStep {
	marks := slices.Clone(w.record.Job.Steps)
	for i := range marks {
		recorded, _ := recordedOf(e.Steps, marks[i].Step)
		if !gates.NeedsWord(recorded.State) {
			continue
		}
		result := marks[i].Result
		marks[i] = recorded
		marks[i].Result, marks[i].Remaining = result, &result.Moved
		shown := &w.record.Job.Steps[i]
		shown.Remaining = &result.Moved
		shown.Detail = proto.Textf("it is %s, and waits for a word: --resolve %s=rerun or =done", recorded.State, recorded.Step)
	}
	return marks
}
