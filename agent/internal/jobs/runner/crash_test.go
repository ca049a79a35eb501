package runner_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/re-connect/rpctl/agent/internal/jobs/jobstest"
	"github.com/re-connect/rpctl/agent/internal/jobs/store"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

// killer ends runners at chosen moments: after each state that is on the disk, and before and after
// each start of a command.
type killer struct {
	h    *jobstest.Host
	kill func() bool
	last string // the moment of the last kill
	open *store.Run
}

func (k *killer) arm(h *jobstest.Host) {
	k.h = h
	h.Engine.Start = func(after bool) error { return k.moment(fmt.Sprintf("start, after=%v", after)) }
}

func (k *killer) moment(what string) error {
	if k.kill() {
		k.last = what
		return jobstest.ErrKilled
	}
	return nil
}

// run is one runner; true when it was killed.
func (k *killer) run(t *testing.T, id proto.JobID) bool {
	t.Helper()
	r := k.h.Runner()
	r.Saved = func(record store.Record) error {
		k.open = record.Current()
		return k.moment("saved")
	}
	err := r.Run(t.Context(), id)
	if err != nil && !errors.Is(err, jobstest.ErrKilled) {
		t.Fatalf("run: %v", err)
	}
	return err != nil
}

// beforeReal says that the last kill came when a real command was written down and not started: of
// that nobody can know whether it was.
func (k *killer) beforeReal() bool {
	return k.last != "start, after=true" && k.open != nil && k.open.Purpose == store.Real
}

func twoSteps() plan.Plan {
	p := jobstest.Plan()
	p.Groups[0].Steps = p.Groups[0].Steps[:1]
	return p
}

var afterTwo = [3]int{140, 41, 159}

// TestKilledAnywhere kills the runner once at every moment there is: the next one goes on, and no real
// command is started twice.
func TestKilledAnywhere(t *testing.T) {
	for n := 1; ; n++ {
		h, p := jobstest.NewHost(t), twoSteps()
		h.Approve(p)
		left := n
		k := &killer{kill: func() bool { left--; return left == 0 }}
		k.arm(h)
		id := h.NewID()
		if _, err := h.Start(proto.JobStartArgs{ID: id, Kind: proto.KindApply, Plan: p}); err != nil {
			t.Fatal(err)
		}
		killed := k.run(t, id)
		unknown := k.beforeReal()
		if killed && k.run(t, id) {
			t.Fatalf("moment %d: killed twice", n)
		}
		job := h.Job(id)
		atMostOnce(t, h, p)
		switch {
		case !unknown && (job.State != proto.JobSucceeded || counts(h.World) != afterTwo):
			t.Fatalf("moment %d (%s): %s %s, %v, %v", n, k.last, job.State, states(job), job.Error, counts(h.World))
		case unknown && (job.State != proto.JobInterrupted || !someRemaining(job)):
			t.Fatalf("moment %d (%s): %s %s, %v", n, k.last, job.State, states(job), job.Error)
		}
		if !killed {
			if n < 30 {
				t.Errorf("only %d moments", n)
			}
			return
		}
	}
}

// someRemaining says that the interrupted step tells what is left of it.
func someRemaining(job proto.Job) bool {
	for _, step := range job.Steps {
		if step.State == proto.StepInterrupted {
			return step.Remaining != nil && *step.Remaining > 0
		}
	}
	return false
}

func atMostOnce(t *testing.T, h *jobstest.Host, p plan.Plan) {
	t.Helper()
	for _, step := range p.Steps() {
		if n := h.Engine.Reals(step.Step); n > 1 {
			t.Fatalf("step %s was run %d times", step.ID, n)
		}
	}
}

// TestRebootedAnywhere lets no runner come back: the job is interrupted, nothing runs by itself, and the
// operator's word finishes the plan with every command run at most once.
func TestRebootedAnywhere(t *testing.T) {
	for n := 1; ; n++ {
		h, p := jobstest.NewHost(t), twoSteps()
		h.Approve(p)
		left := n
		k := &killer{kill: func() bool { left--; return left == 0 }}
		k.arm(h)
		id := h.NewID()
		if _, err := h.Start(proto.JobStartArgs{ID: id, Kind: proto.KindApply, Plan: p}); err != nil {
			t.Fatal(err)
		}
		if !k.run(t, id) {
			return
		}
		h.Engine.SetAlive(id, false)
		job := h.Job(id)
		if job.State == proto.JobAccepted || job.State == proto.JobSucceeded || job.State == proto.JobFailed {
			continue // a runner may still come to it; or it had ended
		}
		data := counts(h.World)
		if k.run(t, id) || job.State != proto.JobInterrupted || counts(h.World) != data {
			t.Fatalf("moment %d (%s): %s, and it went on", n, k.last, job.State)
		}
		finishByWord(t, h, p, n)
		atMostOnce(t, h, p)
		if counts(h.World) != afterTwo {
			t.Fatalf("moment %d (%s): %v", n, k.last, counts(h.World))
		}
	}
}

// finishByWord applies the rest of a plan, resolving what waits.
func finishByWord(t *testing.T, h *jobstest.Host, p plan.Plan, n int) {
	t.Helper()
	status, err := h.Service.PlanStatus(t.Context(), proto.PlanStatusArgs{Plan: p})
	if err != nil {
		t.Fatal(err)
	}
	args := apply(p)
	for _, step := range status.Steps {
		switch step.State {
		case proto.StepInterrupted, proto.StepUnverified, proto.StepFailed:
			if _, err := h.Start(proto.JobStartArgs{ID: h.NewID(), Kind: proto.KindApply, Plan: p}); err == nil {
				t.Fatalf("moment %d: step %s is %s, and no word was asked for", n, step.Step, step.State)
			}
			args.Resolve = append(args.Resolve, proto.Resolution{Step: step.Step, As: proto.ResolveRerun, Reason: "reboot"})
		}
	}
	if status.Applied != nil {
		return // cut off between the receipt and the end of the job
	}
	if job := h.Do(args); job.State != proto.JobSucceeded || job.Receipt == nil {
		t.Fatalf("moment %d: %s %s, %v", n, job.State, states(job), job.Error)
	}
}

// TestWhateverTheOrderOfCrashes kills runners at random moments, again and again.
func TestWhateverTheOrderOfCrashes(t *testing.T) {
	for seed := range uint64(25) {
		random := rand.New(rand.NewPCG(seed, 3))
		h, p := jobstest.NewHost(t), jobstest.Plan()
		h.Approve(p)
		k := &killer{kill: func() bool { return random.IntN(8) == 0 }}
		k.arm(h)
		args := apply(p)
		for round := 0; counts(h.World) != after && round < 20; round++ {
			args.ID = h.NewID()
			if _, err := h.Start(args); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			for k.run(t, args.ID) {
			}
			h.Engine.SetAlive(args.ID, false)
			atMostOnce(t, h, p)
			args.Resolve = nil
			for _, step := range h.Job(args.ID).Steps {
				if step.State == proto.StepInterrupted || step.State == proto.StepUnverified || step.State == proto.StepFailed {
					args.Resolve = append(args.Resolve, proto.Resolution{Step: step.Step, As: proto.ResolveRerun, Reason: "crash"})
				}
			}
		}
		if counts(h.World) != after {
			t.Errorf("seed %d: %v", seed, counts(h.World))
		}
	}
}
