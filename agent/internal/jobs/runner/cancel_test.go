package runner_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/re-connect/rpctl/agent/internal/jobs"
	"github.com/re-connect/rpctl/agent/internal/jobs/console"
	"github.com/re-connect/rpctl/agent/internal/jobs/jobstest"
	"github.com/re-connect/rpctl/agent/internal/jobs/store"
	"github.com/re-connect/rpctl/proto"
)

func cancelAtOnce(t *testing.T, service *jobs.Service, id proto.JobID) error {
	_, err := service.Cancel(t.Context(), proto.JobCancelArgs{ID: id, Now: true}, jobstest.Caller)
	return err
}

func TestCancelBeforeTheNextStep(t *testing.T) {
	h, p := jobstest.NewHost(t), jobstest.Plan()
	h.Approve(p)
	args := apply(p)
	args.ID = h.NewID()
	h.Engine.Script = real(1, jobstest.Fault{Before: func() {
		if _, err := h.Service.Cancel(t.Context(), proto.JobCancelArgs{ID: args.ID}, jobstest.Caller); err != nil {
			t.Error(err)
		}
	}})
	job := h.Do(args)
	if job.State != proto.JobCancelled || states(job) != "verified simulated simulated" || h.Engine.Stopped != 0 ||
		!strings.Contains(string(job.Error.Message), "cancelled by alice@laptop (app)") {
		t.Fatalf("%s %s, %v", job.State, states(job), job.Error)
	}
	if job := h.Do(apply(p)); job.State != proto.JobSucceeded || counts(h.World) != after {
		t.Errorf("the rest: %s, %v", job.State, job.Error)
	}
}

// TestCancelNow stops the command that runs, and tells what it left, however the command takes a TERM.
func TestCancelNow(t *testing.T) {
	for name, end := range map[string]console.End{
		"killed":                     {Result: "success", Code: "killed", Status: "TERM"},
		"it ends, as Symfony's does": {Result: "success", Code: "exited", Status: "0"},
		"it ends with 128 + TERM":    {Result: "exit-code", Code: "exited", Status: "143"},
	} {
		t.Run(name, func(t *testing.T) { cancelNow(t, end) })
	}
}

func cancelNow(t *testing.T, end console.End) {
	t.Helper()
	h, p := approved(t, jobstest.Fault{Hang: true, Limit: 5})
	h.Engine.OnStop = end
	id := begin(t, h, apply(p))
	ran := make(chan error, 1)
	go func() { ran <- h.Runner().Run(t.Context(), id) }()
	h.Until(func() bool { return h.Engine.Hanging() == 1 })
	if asked, err := h.Service.Cancel(t.Context(), proto.JobCancelArgs{ID: id, Now: true}, jobstest.Caller); err != nil || !asked.CancelAsked || !asked.CancelNow {
		t.Fatalf("%+v, %v", asked, err)
	}
	if err := <-ran; err != nil {
		t.Fatal(err)
	}
	job := h.Job(id)
	if !job.CancelNow || job.State != proto.JobCancelled || states(job) != "interrupted simulated simulated" || left(job) != 36 {
		t.Errorf("%s %s, %+v, %v", job.State, states(job), job.Steps[0], job.Error)
	}
}

// TestCancelNowTwice: who asks again after the command has ended changes nothing of why it ended.
func TestCancelNowTwice(t *testing.T) {
	h, p := approved(t, jobstest.Fault{Hang: true, Limit: 5})
	h.Engine.OnStop = console.End{Result: "success", Code: "exited", Status: "0"}
	id := begin(t, h, apply(p))
	late := h.Parts
	late.Now = func() time.Time { return time.Now().Add(time.Second) }
	r, again := h.Runner(), false
	r.Saved = func(record store.Record) error {
		verify := record.Last("1.1", store.Verify)
		if verify == nil || again {
			return nil
		}
		again = true
		return cancelAtOnce(t, late.Service(), id)
	}
	ran := make(chan error, 1)
	go func() { ran <- r.Run(t.Context(), id) }()
	h.Until(func() bool { return h.Engine.Hanging() == 1 })
	if err := cancelAtOnce(t, h.Service, id); err != nil {
		t.Fatal(err)
	}
	if err := <-ran; err != nil {
		t.Fatal(err)
	}
	h.Engine.SetAlive(id, false)
	if job := h.Job(id); !again || job.State != proto.JobCancelled || states(job) != "interrupted simulated simulated" {
		t.Errorf("%s %s, %v", job.State, states(job), job.Error)
	}
}

// TestCancelNowWhileTheCommandStarts: whoever asks finds no unit to stop yet, and the command ends all the same.
func TestCancelNowWhileTheCommandStarts(t *testing.T) {
	h, p := approved(t, jobstest.Fault{Hang: true, Limit: 5})
	args := apply(p)
	args.ID = h.NewID() // it is asked to stop before there is anybody to tell the id
	starts := 0
	h.Engine.Start = func(after bool) error {
		if after {
			return nil
		}
		if starts++; starts == 2 { // the real run of the first step, after its dry run
			if err := cancelAtOnce(t, h.Service, args.ID); err != nil {
				t.Error(err)
			}
		}
		return nil
	}
	if _, err := h.Start(args); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 5*time.Minute)
	defer stop()
	if err := h.Runner().Run(ctx, args.ID); err != nil {
		t.Fatalf("the command goes on: %v", err)
	}
	job := h.Job(args.ID)
	if job.State != proto.JobCancelled || states(job) != "interrupted simulated simulated" || left(job) != 36 {
		t.Errorf("%s %s, %+v, %v", job.State, states(job), job.Steps[0], job.Error)
	}
}

// TestCancelNowAsAStepEnds: what comes too late for the command does not stop the dry run that verifies it.
func TestCancelNowAsAStepEnds(t *testing.T) {
	h, p := jobstest.NewHost(t), jobstest.Plan()
	h.Approve(p)
	id := begin(t, h, apply(p))
	r, asked := h.Runner(), false
	r.Saved = func(record store.Record) error {
		if real := record.Last("1.1", store.Real); real != nil && !real.Open() && !asked {
			asked = true
			return cancelAtOnce(t, h.Service, id)
		}
		return nil
	}
	if err := r.Run(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	h.Engine.SetAlive(id, false)
	if job := h.Job(id); !asked || job.State != proto.JobCancelled || states(job) != "verified simulated simulated" || h.Engine.Stopped != 0 {
		t.Errorf("%s %s, %v, stopped %d times", job.State, states(job), job.Error, h.Engine.Stopped)
	}
}
