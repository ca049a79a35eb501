package jobs_test

import (
	"testing"

	"github.com/re-connect/rpctl/agent/internal/jobs/jobstest"
	"github.com/re-connect/rpctl/agent/internal/jobs/store"
	"github.com/re-connect/rpctl/proto"
)

// TestNoSimulationIsSignedBesideAChange: its mark on the steps would replace those of the job that runs.
func TestNoSimulationIsSignedBesideAChange(t *testing.T) {
	h, p := jobstest.NewHost(t), jobstest.Plan()
	id := h.NewID()
	if _, err := h.Start(proto.JobStartArgs{ID: id, Kind: proto.KindSimulate, Plan: p}); err != nil {
		t.Fatal(err)
	}
	release, err := store.New(h.Parts.State).OwnApplication()
	if err != nil || release == nil {
		t.Fatal(err)
	}
	defer release()
	if job := h.Finish(id); job.State != proto.JobFailed || job.Receipt != nil || job.Error.Code != proto.CodeGate {
		t.Errorf("%s, %v", job.State, job.Error)
	}
}
