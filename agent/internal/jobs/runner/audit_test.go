package runner_test

import (
	"testing"

	"github.com/re-connect/rpctl/agent/internal/audit"
	"github.com/re-connect/rpctl/agent/internal/jobs/jobstest"
	"github.com/re-connect/rpctl/proto"
)

// TestReceiptsNameTheEndOfTheAudit: what a host signs says where its audit ended by then.
func TestReceiptsNameTheEndOfTheAudit(t *testing.T) {
	h, p := jobstest.NewHost(t), jobstest.Plan()
	h.Approve(p)
	job := h.Do(apply(p))
	var simulation proto.Simulation
	var applied proto.Applied
	evidence, err := h.Service.Plans.Evidence(p.Digest(), jobstest.Now())
	if err != nil || proto.DecodeStrict([]byte(evidence.SignedSimulation.Body), &simulation) != nil || proto.DecodeStrict([]byte(job.Receipt.Body), &applied) != nil {
		t.Fatal(err)
	}
	entries, err := audit.New(h.Parts.State).Last(100)
	if err != nil {
		t.Fatal(err)
	}
	for name, head := range map[string]*proto.AuditHead{"simulation": simulation.Audit, "applied": applied.Audit} {
		if head == nil || head.Length == 0 || entries[head.Length-1].Hash != head.Head {
			t.Errorf("%s: %+v", name, head)
		}
	}
	// The last step is told before the receipt is signed, the end of the job after it.
	if last := entries[applied.Audit.Length-1]; last.Action != audit.ActionStepEnd || int(applied.Audit.Length) != len(entries)-1 {
		t.Errorf("the receipt is of entry %+v of %d", last, len(entries))
	}
}
