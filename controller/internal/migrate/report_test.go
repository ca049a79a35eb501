package migrate

import (
	"os"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/fleet"
	"github.com/re-connect/rpctl/proto"
)

// reportAfterApply: the receipt of the apply beside the plan is believed as long as it is whole.
func reportAfterApply(t *testing.T, d *desk) {
	t.Helper()
	if source, err := Report(d.world, d.options); err != nil || source.AllDone() {
		t.Fatalf("nothing was applied, and all is done: %v", err)
	}
	h, r := d.hosts["pp1"], newRun(d.world, d.options)
	to := fleet.Target{Environment: "preprod", Host: "pp1"}
	if _, err := r.keepApplied(to, h.signed(t, proto.NamespaceApplied, h.applied(d.options.Plan))); err != nil {
		t.Fatal(err)
	}
	if source, err := Report(d.world, d.options); err != nil || !source.AllDone() {
		t.Fatalf("all was applied, and is not done: %v", err)
	}
	path := r.store.path("preprod-applied.json")
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(body), `"nonce":"n"`, `"nonce":"m"`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	source, err := Report(d.world, d.options)
	warnings := d.of(event.Warning)
	if err != nil || source.AllDone() || !strings.Contains(warnings[len(warnings)-1].Text, "preprod-applied.json cannot be used") {
		t.Fatalf("a changed receipt is believed: %v, warnings %+v", err, warnings)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func TestApproveOfAnAppliedPlanIsRefused(t *testing.T) {
	d, h := simulating(t)
	h.status.Simulation = h.signed(t, proto.NamespaceSimulation, h.simulation(d.options.Plan))
	h.status.Applied = h.signed(t, proto.NamespaceApplied, h.applied(d.options.Plan))
	h.status.Steps = []proto.JobStep{{Step: "1.1", State: proto.StepVerified}, {Step: "1.2", State: proto.StepVerified}}
	err := Approve(t.Context(), d.world, d.options, Approving{By: "alice"})
	check(t, err, exit.Refused, "applied and verified already", "rpctl migrate status --plan "+d.options.PlanPath+" --env preprod")
	if len(d.asked)+len(h.approvals) > 0 {
		t.Errorf("asked %q, approved %d times", d.asked, len(h.approvals))
	}
}
