package jobs_test

import (
	"errors"
	"testing"
	"time"

	"github.com/re-connect/rpctl/agent/internal/jobs/jobstest"
	"github.com/re-connect/rpctl/agent/internal/jobs/store"
	"github.com/re-connect/rpctl/proto"
)

// TestPruningLeavesTheReceipts: years and hundreds of jobs later the job is gone, and what it proved is not.
func TestPruningLeavesTheReceipts(t *testing.T) {
	h, p := jobstest.NewHost(t), jobstest.Plan()
	h.Approve(p)
	job := h.Do(proto.JobStartArgs{Kind: proto.KindApply, Plan: p})
	if job.State != proto.JobSucceeded {
		t.Fatal(job.Error)
	}
	jobs := store.New(h.Parts.State)
	for range 60 { // more than are kept whatever their age
		later := proto.Job{ID: h.NewID(), Kind: proto.KindSimulate, State: proto.JobFailed, Created: job.Created.Add(time.Hour), Ended: job.Created.Add(2 * time.Hour)}
		if err := jobs.Create(store.Spec{Args: proto.JobStartArgs{ID: later.ID, Kind: later.Kind, Plan: p}}, store.Record{Job: later}); err != nil {
			t.Fatal(err)
		}
	}
	years := jobstest.Now().AddDate(3, 0, 0)
	if err := jobs.Prune(years); err != nil {
		t.Fatal(err)
	}
	if _, err := jobs.Load(job.ID); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("the job was not pruned: %v", err)
	}
	e, err := h.Service.Plans.Evidence(p.Digest(), years)
	if err != nil || e.Simulation == nil || e.Approval == nil || e.Applied == nil || e.Applied.Job != job.ID || len(e.Doubts) > 0 {
		t.Errorf("%+v, %v", e, err)
	}
	if kept, err := h.Service.Plans.Plan(p.Digest()); err != nil || kept.Digest() != p.Digest() {
		t.Errorf("the plan: %v", err)
	}
}
