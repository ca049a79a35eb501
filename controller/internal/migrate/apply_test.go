package migrate

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/inventory"
	"github.com/re-connect/rpctl/internal/signature"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

// openGates are all ten, open.
func openGates() []proto.GateStatus {
	var all []proto.GateStatus
	for i, name := range []string{"simulation", "conflicts", "approval", "before", "drift", "order", "alone", "unresolved", "host", "clock"} {
		all = append(all, proto.GateStatus{Gate: i + 1, Name: proto.HostText(name), Open: true})
	}
	return all
}

// TestGatesAreDocumented looks for a row of each in docs/gates.md.
func TestGatesAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../../docs/gates.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, gate := range openGates() {
		if row := fmt.Sprintf("\n| %d | `%s` |", gate.Gate, gate.Name); !strings.Contains(string(page), row) {
			t.Errorf("docs/gates.md has no row %q", row)
		}
	}
}

// applying is a desk that applies to an environment, where all gates are open.
func applying(t *testing.T, environment string) (*desk, *fakeHost) {
	d := newDesk(t)
	d.options.Environment, _ = newRun(d.world, d.options).environment(environment)
	h := d.hosts[d.options.Environment.ConsoleHost]
	h.status = proto.PlanStatus{Environment: environment, Host: h.name, Plan: d.options.Plan.Digest(), Gates: openGates(), Steps: []proto.JobStep{{Step: "1.1", State: proto.StepPending}}, Start: proto.IntentVersion}
	h.job.Receipt = h.signed(t, proto.NamespaceApplied, h.applied(d.options.Plan))
	h.job.Steps = []proto.JobStep{{Step: "1.1", State: proto.StepVerified}, {Step: "1.2", State: proto.StepVerified}}
	d.answers = []string{"yes"}
	if d.options.Environment.Confirm {
		d.answers = []string{environment}
	}
	return d, h
}

func TestApplyOnPreprod(t *testing.T) {
	d, h := applying(t, "preprod")
	if err := Apply(t.Context(), d.world, d.options, Applying{}); err != nil {
		t.Fatal(err)
	}
	start := h.starts[0]
	if start.Kind != proto.KindApply || start.Plan.Digest() != d.options.Plan.Digest() || len(start.Receipts) != 0 {
		t.Errorf("started %+v", start)
	}
	line, _, _, _, err := ssh.ParseAuthorizedKey(ssh.MarshalAuthorizedKey(d.key.PublicKey()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (signature.Signers{{Principal: "me", Key: line}}).Verify(*start.Intent, proto.NamespaceIntent, noon); err != nil {
		t.Error(err)
	}
	var intent proto.Intent
	if err := proto.DecodeStrict([]byte(start.Intent.Body), &intent); err != nil || intent.Job != start.ID || intent.Environment != "preprod" || intent.Kind != "apply" || !intent.Time.Equal(noon) {
		t.Errorf("%v, intent %+v", err, intent)
	}
	if kept, err := newRun(d.world, d.options).store.read("preprod"+startFile, proto.NamespaceIntent); err != nil || kept != *start.Intent {
		t.Errorf("kept beside the plan: %+v, %v", kept, err)
	}
	applied := d.of(event.Applied)
	if len(applied) != 1 || !strings.Contains(applied[0].Next, "--env prod") {
		t.Errorf("%+v", applied)
	}
	if _, err := newRun(d.world, d.options).storedApplied("preprod"); err != nil {
		t.Error(err)
	}
}

// TestApplyOnProdBringsPreprodsReceipt: from beside the plan, or from preprod's host, which is then kept.
func TestApplyOnProdBringsPreprodsReceipt(t *testing.T) {
	d, h := applying(t, "prod")
	preprod := d.hosts["pp1"]
	preprod.status.Applied = preprod.signed(t, proto.NamespaceApplied, preprod.applied(d.options.Plan))
	for i, dials := range []int{1, 1} { // the second time it lies beside the plan
		d.answers = []string{"prod"}
		if err := Apply(t.Context(), d.world, d.options, Applying{}); err != nil {
			t.Fatal(err)
		}
		start := h.starts[i]
		if len(start.Receipts) != 1 || start.Receipts[0].Body != preprod.status.Applied.Body || preprod.dials != dials {
			t.Errorf("brought %+v, preprod was dialled %d times", start.Receipts, preprod.dials)
		}
	}
}

func TestApplyGoesWithoutAReceiptThatCannotBeHad(t *testing.T) {
	d, h := applying(t, "prod")
	d.hosts["pp1"].down = 1
	h.status.Gates[3] = proto.GateStatus{Gate: 4, Name: "before", Why: "there is no receipt", Advice: proto.Advice{Code: proto.AdviceBefore}}
	err := Apply(t.Context(), d.world, d.options, Applying{})
	check(t, err, exit.Refused, "gate 4 (before) is closed: there is no receipt; nothing was changed", "rpctl migrate status --plan "+d.options.PlanPath+" --env preprod")
	if warnings := d.of(event.Warning); len(warnings) != 1 || !strings.Contains(warnings[0].Text, "cannot ask for the receipt of preprod") {
		t.Errorf("%+v", warnings)
	}
}

// TestEachClosedGateIsShown: with its number, why, and the next command for this very plan; nothing is asked or started.
func TestEachClosedGateIsShown(t *testing.T) {
	for i, gate := range openGates() {
		d, h := applying(t, "prod")
		h.status.Gates[i] = proto.GateStatus{Gate: i + 1, Name: gate.Name, Why: "because", Advice: proto.Advice{Code: proto.AdvicePlanCheck}}
		check(t, Apply(t.Context(), d.world, d.options, Applying{}), exit.Refused, string("("+gate.Name+") is closed: because; nothing was changed"), "rpctl plan check "+d.options.PlanPath)
		if len(h.starts) > 0 || len(d.asked) > 0 {
			t.Errorf("%s: %d starts, asked %q", gate.Name, len(h.starts), d.asked)
		}
	}
}

// TestWhatOpensAGate is what the start itself brings: the host judges those gates when it has seen it.
func TestWhatOpensAGate(t *testing.T) {
	resolve := []proto.Resolution{{Step: "1.1", As: proto.ResolveRerun, Reason: "looked"}}
	for _, c := range []struct {
		gate     int
		with     Applying
		approved bool
	}{
		{3, Applying{}, true}, {3, Applying{BreakGlass: "fire"}, false}, {4, Applying{BreakGlass: "fire"}, false}, {8, Applying{Resolve: resolve}, false},
	} {
		d, h := applying(t, "prod")
		h.status.Gates[c.gate-1].Open = false
		if c.approved {
			h.approve(t, d.options.Plan, noon.Add(time.Hour))
		}
		if err := Apply(t.Context(), d.world, d.options, c.with); err != nil {
			t.Errorf("gate %d: %v", c.gate, err)
			continue
		}
		if start := h.starts[0]; start.BreakGlass != c.with.BreakGlass || len(start.Resolve) != len(c.with.Resolve) {
			t.Errorf("gate %d: started %+v", c.gate, start)
		}
		if c.with.BreakGlass != "" && !strings.Contains(d.of(event.Warning)[0].Text+d.of(event.Warning)[len(d.of(event.Warning))-1].Text, "BREAKING THE GLASS") {
			t.Error("nobody shouted")
		}
	}
}

// TestAnApprovalThatDoesNotFit is refused before the operator is asked anything.
func TestAnApprovalThatDoesNotFit(t *testing.T) {
	d, h := applying(t, "prod")
	h.status.Gates[2].Open = false
	h.approve(t, d.options.Plan, noon)
	check(t, Apply(t.Context(), d.world, d.options, Applying{}), exit.Refused, "gate 3 (approval)", "")
	h.approve(t, d.options.Plan, noon.Add(time.Hour))
	h.status.Simulation.Body = "{}"
	check(t, Apply(t.Context(), d.world, d.options, Applying{}), exit.Refused, "gate 3 (approval)", "")
	if len(d.asked) > 0 {
		t.Errorf("asked %q", d.asked)
	}
}

// approve is a host that has a simulation and its approval.
func (h *fakeHost) approve(t *testing.T, p plan.Plan, expires time.Time) {
	t.Helper()
	simulation := h.simulation(p)
	h.status.Simulation = h.signed(t, proto.NamespaceSimulation, simulation)
	h.status.Approval = h.signed(t, proto.NamespaceApproval, proto.Approval{
		Kind: "approval", Environment: h.environment, Plan: p.Digest(), Figures: simulation.FiguresDigest(), Expires: expires,
	})
}

func TestHostRefusesTheStart(t *testing.T) {
	d, h := applying(t, "prod")
	h.refuse[proto.OpJobStart] = &proto.Error{Code: proto.CodeGate, Message: "gate 3 (approval) is closed", Advice: proto.Advice{Code: proto.AdviceApprove}}
	check(t, Apply(t.Context(), d.world, d.options, Applying{}), exit.Refused, "gate 3", "approve --plan "+d.options.PlanPath)
}

func TestApplyAsks(t *testing.T) {
	d, h := applying(t, "prod")
	d.answers = []string{"yes"} // prod wants its name
	check(t, Apply(t.Context(), d.world, d.options, Applying{}), exit.Refused, "not confirmed", "")
	d.world.Confirm, d.world.Confirmed = nil, "rpctl migrate --apply --reason x --yes"
	check(t, Apply(t.Context(), d.world, d.options, Applying{}), exit.Refused, "no terminal", d.world.Confirmed)
	if len(h.starts) > 0 {
		t.Error("it was started")
	}
	d.options.Yes = true
	if err := Apply(t.Context(), d.world, d.options, Applying{}); err != nil {
		t.Error(err)
	}
}

// TestApplyWithoutAKey: where approvers may not apply, the host needs to know who does.
func TestApplyWithoutAKey(t *testing.T) {
	none := &exit.Error{Code: exit.BadInput, Message: "no key to sign with", Next: "ssh-add"}
	d, _ := applying(t, "prod")
	d.signErr = none
	check(t, Apply(t.Context(), d.world, d.options, Applying{}), exit.BadInput, "no key", "ssh-add")
	d, h := applying(t, "preprod")
	d.signErr = none
	if err := Apply(t.Context(), d.world, d.options, Applying{}); err != nil || h.starts[0].Intent != nil {
		t.Errorf("%v", err)
	}
	d, _ = applying(t, "preprod")
	d.signErr, d.options.Key = none, "id"
	check(t, Apply(t.Context(), d.world, d.options, Applying{}), exit.BadInput, "no key", "ssh-add")
}

// TestStartIsSignedWhole: what the operator signs is what the host is asked for, by what the host has shown.
func TestStartIsSignedWhole(t *testing.T) {
	d, h := applying(t, "prod")
	h.approve(t, d.options.Plan, noon.Add(time.Hour))
	with := Applying{BreakGlass: "fire", Resolve: []proto.Resolution{{Step: "1.1", As: proto.ResolveRerun, Reason: "looked"}}}
	if err := Apply(t.Context(), d.world, d.options, with); err != nil {
		t.Fatal(err)
	}
	start := h.starts[0]
	var simulation proto.Simulation
	var intent proto.Intent
	if err := proto.DecodeStrict([]byte(h.status.Simulation.Body), &simulation); err != nil {
		t.Fatal(err)
	}
	if err := proto.DecodeStrict([]byte(start.Intent.Body), &intent); err != nil {
		t.Fatal(err)
	}
	want := start.Statement("prod", h.status.Host, d.options.Operator, simulation, h.status.Approval, noon)
	if proto.CanonicalBody(intent) != proto.CanonicalBody(want) || intent.BreakGlass != "fire" || len(intent.Resolve) != 1 || intent.Approval == "" || intent.Figures == "" {
		t.Errorf("signed %+v, want %+v", intent, want)
	}
}

// TestOlderAgentIsToldBeforeItIsAsked: it would take the signature for none.
func TestOlderAgentIsToldBeforeItIsAsked(t *testing.T) {
	for environment, with := range map[string]Applying{"prod": {}, "preprod": {BreakGlass: "fire"}} {
		d, h := applying(t, environment)
		h.status.Start = 0
		check(t, Apply(t.Context(), d.world, d.options, with), exit.Refused, "older than this rpctl", "rpctl agent upgrade --env "+environment)
		if len(h.starts) > 0 {
			t.Error("it was asked all the same")
		}
	}
}

// TestBreakGlassIsAlwaysSigned: no environment takes an unsigned one.
func TestBreakGlassIsAlwaysSigned(t *testing.T) {
	d, h := applying(t, "preprod")
	d.signErr = &exit.Error{Code: exit.BadInput, Message: "no key to sign with", Next: "ssh-add"}
	check(t, Apply(t.Context(), d.world, d.options, Applying{BreakGlass: "fire"}), exit.BadInput, "no key", "ssh-add")
	if len(h.starts) > 0 {
		t.Error("it was started")
	}
}

func TestHostThatDiffersFromHostsToml(t *testing.T) {
	d, h := applying(t, "preprod")
	d.world.Fits = func(inventory.Environment, string, proto.Hello) error {
		return &exit.Error{Code: exit.Refused, Message: "agent.toml differs", Next: "rpctl agent diff"}
	}
	check(t, Apply(t.Context(), d.world, d.options, Applying{}), exit.Refused, "differs", "agent diff")
	if len(h.brought) > 0 {
		t.Error("it was asked all the same")
	}
}

func TestStatusOfAllEnvironments(t *testing.T) {
	d, prod := applying(t, "prod")
	preprod := d.hosts["pp1"]
	preprod.status = proto.PlanStatus{Gates: openGates(), Steps: []proto.JobStep{{State: proto.StepVerified}}, Applied: preprod.signed(t, proto.NamespaceApplied, preprod.applied(d.options.Plan))}
	prod.status.Gates[2] = proto.GateStatus{Gate: 3, Name: "approval", Advice: proto.Advice{Code: proto.AdviceApprove}}
	if err := Status(t.Context(), d.world, d.options, d.options.All); err != nil {
		t.Fatal(err)
	}
	gates := d.of(event.Gates)
	if len(gates) != 2 || gates[0].Environment != "preprod" || gates[0].Next != "" || gates[1].Next != "rpctl migrate approve --plan "+d.options.PlanPath+" --env prod" {
		t.Errorf("%+v", gates)
	}
	if len(prod.brought[0].Receipts) != 1 || prod.brought[0].Receipts[0].Body != preprod.status.Applied.Body {
		t.Error("preprod's receipt was not brought to prod")
	}
	preprod.down = 1
	check(t, Status(t.Context(), d.world, d.options, d.options.All), exit.Partial, "no answer", "")
}

func TestNextCommands(t *testing.T) {
	d, _ := applying(t, "preprod")
	r := newRun(d.world, d.options)
	to, _ := target(d.options.Environment)
	for want, status := range map[string]proto.PlanStatus{
		"rpctl attach abcdefgh --env preprod":                                   {Running: "abcdefgh", Gates: openGates()},
		"rpctl migrate --apply --plan " + d.options.PlanPath + " --env preprod": {Gates: openGates()},
		"":  {Steps: []proto.JobStep{{State: proto.StepVerified}}},
		"x": {Gates: []proto.GateStatus{{Name: "a", Open: true, Next: "no"}, {Name: "b"}, {Name: "c", Next: "x"}}},
	} {
		if got, _ := r.nextOf(to, status); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestApprove(t *testing.T) {
	d, h := applying(t, "prod")
	simulation := h.simulation(d.options.Plan)
	h.status.Simulation = h.signed(t, proto.NamespaceSimulation, simulation)
	d.answers = []string{"yes"}
	with := Approving{By: "bob", For: "Claire (PO)", Evidence: "https://slack.example/p1", Days: 7}
	if err := Approve(t.Context(), d.world, d.options, with); err != nil {
		t.Fatal(err)
	}
	var a proto.Approval
	if err := proto.DecodeStrict([]byte(h.approvals[0].Body), &a); err != nil {
		t.Fatal(err)
	}
	if a.Kind != "approval" || a.Plan != d.options.Plan.Digest() || a.Figures != simulation.FiguresDigest() || a.Environment != "prod" ||
		a.By != "bob" || a.For != with.For || a.Evidence != with.Evidence || a.Expires.Sub(a.Time) != 7*24*time.Hour || len(a.Nonce) != 32 {
		t.Errorf("%+v", a)
	}
	if h.approvals[0].Body != proto.CanonicalBody(a) || h.approvals[0].Namespace != proto.NamespaceApproval {
		t.Errorf("%+v", h.approvals[0])
	}
	if kinds := d.of(event.Figures); len(kinds) != 1 || !strings.Contains(d.asked[0], "Claire") {
		t.Errorf("%d tables, asked %q", len(kinds), d.asked)
	}
}

// TestApproveABrokenGlass: for a day, with the reason, and only where hosts.toml allows it.
func TestApproveABrokenGlass(t *testing.T) {
	d, h := applying(t, "prod")
	h.status.Simulation = h.signed(t, proto.NamespaceSimulation, h.simulation(d.options.Plan))
	with := Approving{By: "bob", BreakGlass: "people sleep outside"}
	rules := *d.options.Environment.Console
	d.options.Environment.Console = &rules
	rules.BreakGlass = false
	check(t, Approve(t.Context(), d.world, d.options, with), exit.Refused, "does not allow --break-glass", "")
	rules.BreakGlass = true
	late := with
	late.Days = 2
	check(t, Approve(t.Context(), d.world, d.options, late), exit.BadInput, "good for one day", "")
	d.answers = []string{"yes"}
	if err := Approve(t.Context(), d.world, d.options, with); err != nil {
		t.Fatal(err)
	}
	var a proto.Approval
	if err := proto.DecodeStrict([]byte(h.approvals[0].Body), &a); err != nil || a.BreakGlass != with.BreakGlass || a.Expires.Sub(a.Time) != proto.GlassLife {
		t.Errorf("%+v, %v", a, err)
	}
	if asked := strings.Join(d.asked, ""); !strings.Contains(asked, "BREAK THE GLASS") || !strings.Contains(asked, with.BreakGlass) {
		t.Errorf("asked %q", asked)
	}
}

func TestApproveRefuses(t *testing.T) {
	with := Approving{By: "bob", Days: 7}
	d, h := applying(t, "prod")
	check(t, Approve(t.Context(), d.world, d.options, with), exit.Refused, "no simulation", "rpctl migrate --plan")
	s := h.simulation(d.options.Plan)
	s.Steps[0].Result.Conflicts = []proto.Conflict{{Accommodation: 892}}
	h.status.Simulation = h.signed(t, proto.NamespaceSimulation, s)
	check(t, Approve(t.Context(), d.world, d.options, with), exit.Refused, "accommodation 892 of step 1.1", "rpctl migrate --plan")
	h.status.Simulation = h.signed(t, proto.NamespaceSimulation, h.simulation(d.options.Plan))
	d.answers = []string{"no"}
	check(t, Approve(t.Context(), d.world, d.options, with), exit.Refused, "not confirmed", "")
	asks := d.world.Confirm
	d.world.Confirm, d.world.Confirmed = nil, "rpctl migrate approve --key id_claire --yes"
	check(t, Approve(t.Context(), d.world, d.options, with), exit.Refused, "no terminal", d.world.Confirmed)
	d.world.Confirm = asks
	for _, bad := range []Approving{{Days: -1}, {Days: 8}, {Days: 7, For: "Claire"}, {Days: 7, Evidence: "x"}, {Days: 7, For: "Claire", Evidence: "pas-un-lien"}} {
		check(t, Approve(t.Context(), d.world, d.options, bad), exit.BadInput, "", "")
	}
	for _, link := range []string{"https://claire:hush@slack.example/p1", "https://slack.example/p1?token=hush"} {
		err := Approve(t.Context(), d.world, d.options, Approving{Days: 7, For: "Claire", Evidence: link})
		check(t, err, exit.BadInput, "bad --evidence: the link has a", "")
		if strings.Contains(err.Error(), "hush") {
			t.Errorf("the secret is repeated: %v", err)
		}
	}
	if len(h.approvals) > 0 {
		t.Error("an approval was sent")
	}
}

// TestApprovalSignedElsewhere writes the request, signs it as ssh-keygen would, and brings it.
func TestApprovalSignedElsewhere(t *testing.T) {
	d, h := applying(t, "prod")
	h.status.Simulation = h.signed(t, proto.NamespaceSimulation, h.simulation(d.options.Plan))
	file := d.options.PlanPath + ".approval"
	if err := Request(t.Context(), d.world, d.options, Approving{By: "Claire", Days: 7}, file); err != nil {
		t.Fatal(err)
	}
	stored := d.of(event.Stored)
	if last := stored[len(stored)-1]; !strings.Contains(last.Commands[0], "ssh-keygen -Y sign -f KEY -n approval@rpctl "+file) || !strings.HasSuffix(last.Next, "--signed "+file) {
		t.Errorf("%+v", last)
	}
	check(t, Request(t.Context(), d.world, d.options, Approving{By: "Claire", Days: 7}, file), exit.BadInput, "exists", "ls -l")
	check(t, Signed(t.Context(), d.world, d.options, file), exit.BadInput, ".sig", "ssh-keygen -Y sign")
	body, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	signed, _ := signature.Sign(d.key, proto.NamespaceApproval, string(body))
	if err := os.WriteFile(file+".sig", []byte(signed.Signature), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Signed(t.Context(), d.world, d.options, file); err != nil {
		t.Fatal(err)
	}
	if len(h.approvals) != 1 || h.approvals[0] != signed {
		t.Errorf("%+v", h.approvals)
	}
	d.options.Plan.Groups[0].Steps[0].Value = "another"
	check(t, Signed(t.Context(), d.world, d.options, file), exit.BadInput, "approves plan", "approval-request")
}

func TestReport(t *testing.T) {
	d, _ := simulating(t)
	_, err := Report(d.world, d.options)
	check(t, err, exit.BadInput, "there is no simulation on preprod", "rpctl migrate --plan")
	if err := Simulate(t.Context(), d.world, d.options); err != nil {
		t.Fatal(err)
	}
	source, err := Report(d.world, d.options)
	if err != nil || source.Simulation.Steps[0].Result.Moved != 41 {
		t.Fatalf("%v %+v", err, source)
	}
	d.world.Now = func() time.Time { return noon.Add(2 * time.Hour) }
	if _, err := Report(d.world, d.options); err != nil || !strings.Contains(d.of(event.Warning)[0].Text, "has expired") {
		t.Errorf("%v %+v", err, d.of(event.Warning))
	}
	reportAfterApply(t, d)
	path := storeOf(d.options.PlanPath).path("preprod-simulation.json")
	body, _ := os.ReadFile(path)
	if err := os.WriteFile(path, []byte(strings.Replace(string(body), `"moved":41`, `"moved":40`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Report(d.world, d.options)
	check(t, err, exit.Refused, "the text was changed", "rpctl migrate --plan")
	if err := os.WriteFile(path, body, 0o600); err != nil {
		t.Fatal(err)
	}
	d.options.Plan.Groups[0].Steps[0].Value = "another"
	_, err = Report(d.world, d.options)
	check(t, err, exit.Refused, "the plan was changed since", "rpctl migrate --plan")
	var refused *exit.Error
	if !errors.As(err, &refused) {
		t.Error("no exit code")
	}
}
