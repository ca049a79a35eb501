package migrate

import (
	"cmp"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/fleet"
	"github.com/re-connect/rpctl/controller/internal/inventory"
	"github.com/re-connect/rpctl/internal/signature"
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

// TestReportBelievesThePinnedKeyAlone: a folder of receipts in which everything fits together says nothing of who signed.
func TestReportBelievesThePinnedKeyAlone(t *testing.T) {
	forge := func(t *testing.T, d *desk, by *fakeHost, namespace string, body any) {
		t.Helper()
		signed := by.signed(t, namespace, body)
		s := storeOf(d.options.PlanPath)
		if _, err := s.write("preprod"+simulationFile, *signed); err != nil {
			t.Fatal(err)
		}
		line := "pp1 namespaces=\"simulation@rpctl,applied@rpctl\" " + signature.PublicKey(*signed) + "\n"
		if err := s.put("allowed_signers", line); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		by         func(d *desk) *fakeHost
		change     func(*proto.Simulation)
		namespace  string
		says, next string
	}{
		"by a key of the folder": {says: "trusted_hosts has the key that is pinned"},
		"by prod's host, which is pinned": {by: func(d *desk) *fakeHost { return d.hosts["p1"] },
			says: "trusted_hosts has the key that is pinned"},
		"by prod's host under its own name": {by: func(d *desk) *fakeHost { return d.hosts["p1"] }, change: func(s *proto.Simulation) { s.Host = "p1" },
			says: "it speaks of host p1, and the pinned key of preprod is of host pp1"},
		"by the right host for another purpose": {by: func(d *desk) *fakeHost { return d.hosts["pp1"] }, namespace: proto.NamespaceApplied,
			says: "cannot be used"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			by := newHost(t, "preprod", "pp1")
			if c.by != nil {
				by = c.by(d)
			}
			simulation := d.hosts["pp1"].simulation(d.options.Plan)
			if c.change != nil {
				c.change(&simulation)
			}
			forge(t, d, by, cmp.Or(c.namespace, proto.NamespaceSimulation), simulation)
			_, err := Report(d.world, d.options)
			check(t, err, exit.Refused, c.says, "rpctl migrate --plan")
		})
	}
	d := newDesk(t)
	forge(t, d, d.hosts["pp1"], proto.NamespaceSimulation, d.hosts["pp1"].simulation(d.options.Plan))
	if _, err := Report(d.world, d.options); err != nil {
		t.Errorf("the pinned key's: %v", err)
	}
	if err := os.Remove(d.options.Environment.TrustedHosts.Path()); err != nil {
		t.Fatal(err)
	}
	_, err := Report(d.world, d.options)
	check(t, err, exit.Refused, "no receipt key of preprod is pinned", "rpctl agent pin --env preprod")
}

// TestNothingBeginsWithoutAPinnedKey: what could not be believed in the end is not begun.
func TestNothingBeginsWithoutAPinnedKey(t *testing.T) {
	for name, do := range map[string]func(*desk) error{
		"simulate":         func(d *desk) error { return Simulate(t.Context(), d.world, d.options) },
		"apply":            func(d *desk) error { return Apply(t.Context(), d.world, d.options, Applying{}) },
		"approve":          func(d *desk) error { return Approve(t.Context(), d.world, d.options, Approving{By: "bob"}) },
		"approval-request": func(d *desk) error { return Request(t.Context(), d.world, d.options, Approving{By: "bob"}, "x") },
	} {
		d := newDesk(t)
		if err := os.WriteFile(d.options.Environment.TrustedHosts.Path(), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		check(t, do(d), exit.Refused, "no receipt key of preprod is pinned", "rpctl agent pin --env preprod")
		if d.hosts["pp1"].dials > 0 {
			t.Errorf("%s: the host was reached", name)
		}
	}
	d, _ := applying(t, "prod") // whose key is pinned, but not that of the host before it
	prod := d.hosts["p1"]
	if err := os.Remove(d.options.Environment.TrustedHosts.Path()); err != nil {
		t.Fatal(err)
	}
	prod.pin(t, d.options.Environment.TrustedHosts)
	check(t, Apply(t.Context(), d.world, d.options, Applying{}), exit.Refused, "no receipt key of preprod is pinned", "rpctl agent pin --env preprod")
	if prod.dials > 0 {
		t.Error("prod was reached")
	}
}

// TestReportBoundsASimulation: what its host wrote of its end counts to simulation_hours.
func TestReportBoundsASimulation(t *testing.T) {
	d, h := simulating(t)
	s := h.simulation(d.options.Plan)
	s.Expires = noon.Add(100 * 365 * 24 * time.Hour)
	h.job.Receipt = h.signed(t, proto.NamespaceSimulation, s)
	if err := Simulate(t.Context(), d.world, d.options); err != nil {
		t.Fatal(err)
	}
	for after, warnings := range map[time.Duration]int{6 * 24 * time.Hour: 0, 8 * 24 * time.Hour: 1} {
		d.events = nil
		d.world.Now = func() time.Time { return noon.Add(after) }
		if _, err := Report(d.world, d.options); err != nil || len(d.of(event.Warning)) != warnings {
			t.Errorf("after %s: %+v, %v", after, d.of(event.Warning), err)
		}
	}
}

// TestHostThatAcceptsOtherKeysIsRefused: nothing is started and nothing is approved where a key counts that the repository
// does not have; an agent that reports nothing is named.
func TestHostThatAcceptsOtherKeysIsRefused(t *testing.T) {
	flows := map[string]func(*desk) error{
		"apply":   func(d *desk) error { return Apply(t.Context(), d.world, d.options, Applying{}) },
		"approve": func(d *desk) error { return Approve(t.Context(), d.world, d.options, Approving{By: "bob"}) },
	}
	for name, do := range flows {
		d, h := applying(t, "preprod")
		h.status.Simulation = h.signed(t, proto.NamespaceSimulation, h.simulation(d.options.Plan))
		d.world.Accepts = func(inventory.Environment, proto.Hello) error {
			return &exit.Error{Code: exit.Refused, Message: "other keys", Next: "rpctl agent diff --env preprod"}
		}
		check(t, do(d), exit.Refused, "other keys", "rpctl agent diff --env preprod")
		if len(h.starts)+len(h.approvals) > 0 {
			t.Errorf("%s: %d starts, %d approvals", name, len(h.starts), len(h.approvals))
		}
		d.world.Accepts = func(inventory.Environment, proto.Hello) error {
			return &exit.Error{Code: exit.Refused, Message: "an older agent", Next: "rpctl agent upgrade --env preprod", Err: ErrNoDigests}
		}
		d.answers = []string{"yes", "yes"}
		if err := do(d); err != nil || len(d.of(event.Warning)) == 0 || d.of(event.Warning)[0].Text != "an older agent" {
			t.Errorf("%s: %v, %+v", name, err, d.of(event.Warning))
		}
		d.world.Receipts = func(inventory.Environment, proto.Hello) error {
			return &exit.Error{Code: exit.Refused, Message: "another key", Next: "rpctl agent pin --env preprod"}
		}
		check(t, do(d), exit.Refused, "another key", "rpctl agent pin --env preprod")
	}
}
