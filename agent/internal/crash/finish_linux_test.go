package crash

import (
	"errors"
	"fmt"

	"github.com/re-connect/rpctl/agent/internal/jobs/console"
	"github.com/re-connect/rpctl/agent/internal/jobs/jobstest"
	"github.com/re-connect/rpctl/agent/internal/jobs/store"
	"github.com/re-connect/rpctl/agent/internal/plans"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

// start admits the job of two steps.
func start(h *host, kind proto.JobKind) error {
	id := job
	if kind == proto.KindApply {
		if _, err := h.Service.Jobs.Load(job); err == nil {
			id = "crashjob2"
		}
	}
	_, err := h.Start(proto.JobStartArgs{ID: id, Kind: kind, Plan: twoSteps()})
	return err
}

// runner does the job and tells each state.
func runner(h *host, told func(string)) error {
	r := h.Runner()
	r.Saved = func(store.Record) error {
		told(describe(h, job))
		return nil
	}
	if err := r.Run(h.TB.Context(), job); err != nil {
		return err
	}
	told(describe(h, job))
	return nil
}

// resume is what happens by itself: the runner comes back after a kill, and does not after a power cut.
func resume(h *host, cut bool) {
	h.TB.Helper()
	if _, err := h.Service.Jobs.Load(job); errors.Is(err, store.ErrNotFound) {
		return
	}
	if !cut {
		h.must(h.Runner().Run(h.TB.Context(), job))
	}
	is := h.Job(job)
	if is.State == proto.JobAccepted { // whoever asked asks again
		h.must(h.Runner().Run(h.TB.Context(), job))
		is = h.Job(job)
	}
	before := len(h.effects())
	h.must(h.Runner().Run(h.TB.Context(), job))
	if !is.State.Ended() || len(h.effects()) != before {
		h.TB.Errorf("the job is %s, and %d commands were run by itself", is.State, len(h.effects())-before)
	}
}

// finish resumes a job that applies a plan, gives the operator's word where it is asked for, and looks at
// the data: everything was done, and nothing twice but by that word.
func finish(h *host, p plan.Plan, cut bool) {
	h.TB.Helper()
	words := map[plan.StepID]int{}
	resume(h, cut)
	for i := 0; ; i++ {
		status, err := h.Service.PlanStatus(h.TB.Context(), proto.PlanStatusArgs{Plan: p})
		h.must(err)
		if status.Applied != nil || i == 3 {
			break
		}
		args := proto.JobStartArgs{ID: proto.JobID("finish0" + string(rune('1'+i))), Kind: proto.KindApply, Plan: p}
		for _, step := range status.Steps {
			switch step.State {
			case proto.StepInterrupted, proto.StepUnverified, proto.StepFailed, proto.StepRunning, proto.StepVerifying:
				args.Resolve = append(args.Resolve, rerun(step.Step)...)
				words[step.Step]++
			}
		}
		if done := h.Do(args); done.State != proto.JobSucceeded {
			h.TB.Errorf("finished as %s: %v", done.State, done.Error)
		}
	}
	applied(h, p, words)
}

// applied says that the plan was done exactly.
func applied(h *host, p plan.Plan, words map[plan.StepID]int) {
	h.TB.Helper()
	evidence, err := plansOf(h).Evidence(p.Digest(), now())
	h.must(err)
	if evidence.Applied == nil || len(evidence.Doubts) > 0 {
		h.TB.Errorf("there is no receipt that counts: %v", evidence.Doubts)
	}
	want := map[int][3]int{1: {119, 41, 180}, 2: {140, 41, 159}}[len(p.Steps())]
	if h.counts() != want {
		h.TB.Errorf("the centres have %v, want %v", h.counts(), want)
	}
	for _, step := range p.Steps() {
		n := 0
		for _, effect := range h.effects() {
			if effect.Shell(false) == step.Shell(false) {
				n++
			}
		}
		if n > 1+words[step.ID] {
			h.TB.Errorf("step %s was run %d times, with %d words to", step.ID, n, words[step.ID])
		}
	}
}

func rerun(step plan.StepID) []proto.Resolution {
	return []proto.Resolution{{Step: step, As: proto.ResolveRerun, Reason: "the host went down"}}
}

func plansOf(h *host) plans.Folder { return h.Service.Plans }

// interruptedStep leaves a step that has moved all and was not seen to end.
func interruptedStep(h *host) error {
	h.Approve(oneStep())
	first := proto.JobID("crashjob0")
	if _, err := h.Start(proto.JobStartArgs{ID: first, Kind: proto.KindApply, Plan: oneStep()}); err != nil {
		return err
	}
	killAt(h, first, store.Real)
	h.Engine.SetAlive(first, false)
	h.Job(first)
	return nil
}

// drifted leaves a plan of two steps with the first one verified and the second one stopped, because somebody has
// gone; and a simulation of what is left, asked for.
func drifted(h *host) error {
	h.World.Add(jobstest.CPH.ID, "", 1)
	h.Approve(twoSteps())
	script := h.Engine.Script
	h.Engine.Script = func(spec console.Spec) jobstest.Fault {
		fault := script(spec)
		if move := fault.Before; move != nil {
			fault.Before = func() {
				move()
				h.World.People = h.World.People[:len(h.World.People)-1]
			}
		}
		return fault
	}
	done := h.Do(proto.JobStartArgs{ID: "crashjob0", Kind: proto.KindApply, Plan: twoSteps()})
	if done.Steps[0].State != proto.StepVerified || done.Steps[1].State != proto.StepStopped {
		return fmt.Errorf("it is %s: %w", done.State, done.Error)
	}
	return start(h, proto.KindSimulate)
}

// firstIsDone fails where the host does not know any more that the first of two steps is verified, or what it
// was run by.
func firstIsDone(h *host) plans.Evidence {
	h.TB.Helper()
	evidence, err := plansOf(h).Evidence(twoSteps().Digest(), now())
	h.must(err)
	if evidence.Simulation == nil || evidence.Steps.State()["1.1"] != proto.StepVerified || len(evidence.Doubts) > 0 {
		h.TB.Fatalf("%+v, %v", evidence.Steps, evidence.Doubts)
	}
	return evidence
}
