package jobs_test

import (
	"context"
	"errors"
	"testing"

	"github.com/re-connect/rpctl/agent/internal/jobs"
	"github.com/re-connect/rpctl/agent/internal/jobs/console"
	"github.com/re-connect/rpctl/agent/internal/jobs/jobstest"
	"github.com/re-connect/rpctl/agent/internal/jobs/store"
	"github.com/re-connect/rpctl/proto"
)

// cutOffRun starts an apply and kills its runner when the real command of the first step has begun.
func cutOffRun(t *testing.T, h *jobstest.Host, id proto.JobID) {
	t.Helper()
	h.Engine.Start = func(after bool) error {
		if after && h.Engine.Reals(jobstest.Plan().Steps()[0].Step) > 0 {
			return jobstest.ErrKilled
		}
		return nil
	}
	if err := h.Runner().Run(t.Context(), id); !errors.Is(err, jobstest.ErrKilled) {
		t.Fatalf("run: %v", err)
	}
}

// realRun is a fault of the real command alone.
func realRun(fault jobstest.Fault) func(console.Spec) jobstest.Fault {
	return func(spec console.Spec) jobstest.Fault {
		if spec.DryRun {
			return jobstest.Fault{}
		}
		return fault
	}
}

// TestACutOffJobKeepsItsOutput: a viewer that has seen what an interrupted command said goes on from there.
func TestACutOffJobKeepsItsOutput(t *testing.T) {
	h, p := jobstest.NewHost(t), jobstest.Plan()
	h.Approve(p)
	h.Engine.Script = realRun(jobstest.Fault{NoEnd: true, Output: odd})
	id := h.NewID()
	if _, err := h.Start(proto.JobStartArgs{ID: id, Kind: proto.KindApply, Plan: p}); err != nil {
		t.Fatal(err)
	}
	cutOffRun(t, h, id)
	seen := h.Job(id).Stdout
	h.Engine.SetAlive(id, false)
	job := h.Job(id)
	if job.State != proto.JobInterrupted || seen <= int64(len(odd)) || job.Stdout != seen {
		t.Fatalf("%s, %d bytes, %d before", job.State, job.Stdout, seen)
	}
	v := newViewer(t, true)
	v.at["stdout"] = seen - int64(len(odd))
	if _, err := h.Service.Follow(t.Context(), proto.JobFollowArgs{ID: id, Stdout: v.at["stdout"], Wait: true}, v); err != nil || v.text["stdout"].String() != odd {
		t.Errorf("%v, %q", err, v.text["stdout"])
	}
	// One byte more: a power cut takes back what was not on the disk yet, and the viewer must learn how it ended.
	for _, from := range []int64{seen, seen + 1} {
		got, err := h.Service.Follow(t.Context(), proto.JobFollowArgs{ID: id, Stdout: from, Wait: true}, newViewer(t, false))
		if err != nil || got.State != proto.JobInterrupted {
			t.Errorf("from %d: %s, %v", from, got.State, err)
		}
	}
}

// fleeting is an engine whose runner works between the look at the disk and the look at the runner.
type fleeting struct {
	*jobstest.Engine
	work func()
}

func (e *fleeting) RunnerAlive(context.Context, proto.JobID) (bool, error) {
	if e.work != nil {
		work := e.work
		e.work = nil
		work()
	}
	return false, nil
}

var _ jobs.Engine = (*fleeting)(nil)

// TestARunnerThatCameAndWentLeavesItsCommand: the job of a command that runs is not interrupted.
func TestARunnerThatCameAndWentLeavesItsCommand(t *testing.T) {
	h, p := jobstest.NewHost(t), jobstest.Plan()
	h.Approve(p)
	h.Engine.Script = realRun(jobstest.Fault{Hang: true, Limit: 12})
	id := h.NewID()
	if _, err := h.Start(proto.JobStartArgs{ID: id, Kind: proto.KindApply, Plan: p}); err != nil {
		t.Fatal(err)
	}
	first := h.Runner()
	first.Saved = func(store.Record) error { return jobstest.ErrKilled }
	if err := first.Run(t.Context(), id); !errors.Is(err, jobstest.ErrKilled) {
		t.Fatalf("run: %v", err)
	}
	h.Parts.Engine = &fleeting{h.Engine, func() { cutOffRun(t, h, id) }}
	h.Reopen()
	if job := h.Job(id); job.State != proto.JobRunning || h.Engine.Hanging() != 1 {
		t.Errorf("%s, with %d commands at work", job.State, h.Engine.Hanging())
	}
	if running, err := h.Service.Mutating(t.Context()); err != nil || running == nil {
		t.Errorf("%v, %v", running, err)
	}
}

// TestAStepThatNobodySawEnd: what was only looked at is as it was, what was run waits for a word.
func TestAStepThatNobodySawEnd(t *testing.T) {
	for at, want := range map[proto.StepState]proto.StepState{
		proto.StepChecking: proto.StepSimulated, proto.StepRunning: proto.StepInterrupted, proto.StepVerifying: proto.StepUnverified,
	} {
		h, p := jobstest.NewHost(t), jobstest.Plan()
		h.Approve(p)
		id := h.NewID()
		if _, err := h.Start(proto.JobStartArgs{ID: id, Kind: proto.KindApply, Plan: p}); err != nil {
			t.Fatal(err)
		}
		runner := h.Runner()
		runner.Saved = func(record store.Record) error {
			if record.Job.Steps[0].State == at {
				return jobstest.ErrKilled
			}
			return nil
		}
		if err := runner.Run(t.Context(), id); !errors.Is(err, jobstest.ErrKilled) {
			t.Fatalf("%s: run: %v", at, err)
		}
		h.Engine.SetAlive(id, false)
		job := h.Job(id)
		if step := job.Steps[0]; job.State != proto.JobInterrupted || step.State != want || (step.Detail == "") != (want == proto.StepSimulated) {
			t.Errorf("%s: the job is %s, the step %s (%s), want %s", at, job.State, step.State, step.Detail, want)
		}
		if status, err := h.Service.PlanStatus(t.Context(), proto.PlanStatusArgs{Plan: p}); err != nil || status.Steps[0].State != want {
			t.Errorf("%s: the plan's step is %+v, %v, want %s", at, status.Steps, err, want)
		}
	}
}
