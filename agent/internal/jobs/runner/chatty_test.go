package runner_test

import (
	"os"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/agent/internal/jobs/console"
	"github.com/re-connect/rpctl/agent/internal/jobs/jobstest"
	"github.com/re-connect/rpctl/proto"
)

// TestChattyDryRunIsStopped by its runner, and the simulation fails, although Symfony's console takes a TERM for a wish.
func TestChattyDryRunIsStopped(t *testing.T) {
	h, p := jobstest.NewHost(t), jobstest.Plan()
	h.Engine.Script = func(spec console.Spec) jobstest.Fault { return jobstest.Fault{Hang: spec.DryRun} }
	h.Engine.OnStop = console.End{Result: "success", Code: "exited", Status: "0"}
	id := begin(t, h, proto.JobStartArgs{Kind: proto.KindSimulate, Plan: p})
	ran := make(chan error, 1)
	go func() { ran <- h.Runner().Run(t.Context(), id) }()
	h.Until(func() bool { return h.Engine.Hanging() == 1 })
	if err := os.Truncate(h.Parts.Folders.Stdout(console.NewDryID(id, 0)), console.MaxPrinted+1); err != nil {
		t.Fatal(err)
	}
	if err := <-ran; err != nil {
		t.Fatal(err)
	}
	if job := h.Job(id); job.State != proto.JobFailed || !strings.Contains(string(job.Error.Message), "printed more than 512 MiB and was stopped") {
		t.Errorf("%s, %v", job.State, job.Error)
	}
}
