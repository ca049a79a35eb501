package jobs_test

import (
	"context"
	"errors"
	"testing"

	"github.com/re-connect/rpctl/agent/internal/jobs/jobstest"
	"github.com/re-connect/rpctl/agent/internal/jobs/store"
	"github.com/re-connect/rpctl/proto"
)

// TestAnIDIsUsedOnce: what an earlier job of the same id printed is not taken for a new one's.
func TestAnIDIsUsedOnce(t *testing.T) {
	h, p := jobstest.NewHost(t), jobstest.Plan()
	args := proto.JobStartArgs{ID: h.NewID(), Kind: proto.KindSimulate, Plan: p}
	h.Do(args)
	if err := store.New(h.Parts.State).Remove(args.ID); err != nil {
		t.Fatal(err)
	}
	_, err := h.Start(args)
	refusal(t, err, proto.CodeJob, "an earlier job had this id")
}

// lossy is an engine that starts a runner and loses the answer.
type lossy struct {
	*jobstest.Engine
	runner func()
}

func (e *lossy) StartRunner(context.Context, proto.JobID) error {
	e.runner()
	return errors.New("the connection was lost")
}

// TestALostAnswerUnmakesNoJob: a job whose runner came is not taken from under it.
func TestALostAnswerUnmakesNoJob(t *testing.T) {
	h, p := jobstest.NewHost(t), jobstest.Plan()
	args := proto.JobStartArgs{ID: h.NewID(), Kind: proto.KindSimulate, Plan: p}
	h.Parts.Engine = &lossy{h.Engine, func() {
		release, err := store.New(h.Parts.State).Own(args.ID)
		if err != nil || release == nil {
			t.Errorf("%v", err)
			return
		}
		t.Cleanup(release)
	}}
	h.Reopen()
	if job, err := h.Start(args); err != nil || job.ID != args.ID {
		t.Errorf("%v, %v", job.ID, err)
	}
	if _, err := store.New(h.Parts.State).Spec(args.ID); err != nil {
		t.Errorf("the runner's job is gone: %v", err)
	}
	h.Parts.Engine = &lossy{h.Engine, func() {}}
	h.Reopen()
	args.ID = h.NewID()
	if _, err := h.Start(args); err == nil {
		t.Error("started")
	}
	if _, err := store.New(h.Parts.State).Spec(args.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("it left a job: %v", err)
	}
}
