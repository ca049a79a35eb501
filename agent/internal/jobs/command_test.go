package jobs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/re-connect/rpctl/agent/internal/jobs/console"
	"github.com/re-connect/rpctl/agent/internal/jobs/jobstest"
	"github.com/re-connect/rpctl/agent/internal/plans"
	"github.com/re-connect/rpctl/internal/signature"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

// forged is what the agent's own user may write for the run of a step: it has the host's receipt key and every
// file of the agent's state, and no person's key.
type forged struct {
	*testing.T
	host    *jobstest.Host
	carried plans.Carried
	step    plan.Step
	id      console.ID
	dev     proto.Applied
}

// forge is an honest start on a host that wants two people and dev's receipt.
func forge(t *testing.T) *forged {
	t.Helper()
	h, p := jobstest.NewHost(t), jobstest.Plan()
	rules := h.Parts.Config.Console
	rules.SelfApproval, rules.After = false, "dev"
	dev := jobstest.NewSigner(t, "rp-dev")
	h.Trusted = append(h.Trusted, dev)
	h.Reopen()
	s := h.Simulate(p)
	approval := h.Approval(s)
	if _, err := h.Service.Approve(t.Context(), proto.ApproveArgs{Approval: approval}, jobstest.Caller); err != nil {
		t.Fatal(err)
	}
	f := &forged{T: t, host: h, step: p.Steps()[0].Step}
	for _, step := range s.Steps {
		f.dev.Steps = append(f.dev.Steps, step.Forecast)
	}
	f.dev = proto.Applied{Kind: "applied", Environment: "dev", Host: "rp-dev", Plan: p.Digest(), Job: "devjob0001", Time: jobstest.Now(),
		Expires: jobstest.Now().Add(time.Hour), Nonce: "n", Steps: f.dev.Steps}
	args := proto.JobStartArgs{ID: h.NewID(), Kind: proto.KindApply, Plan: p, Receipts: []proto.Signed{dev.Sign(t, proto.NamespaceApplied, f.dev)}}
	e, err := h.Service.Plans.Evidence(p.Digest(), jobstest.Now())
	if err != nil {
		t.Fatal(err)
	}
	f.carried = plans.Carried{Start: h.Signed(h.Alice, args), Operator: jobstest.Caller.Operator, Created: jobstest.Now(), Step: "1.1",
		Simulation: *e.SignedSimulation, Approval: &approval}
	f.id = console.NewRealID(args.ID, "1.1")
	return f
}

// resign signs the start again, with a key that the forger holds.
func (f *forged) resign(by jobstest.Signer) {
	statement := f.host.Statement(f.carried.Start)
	signed := by.Sign(f, proto.NamespaceIntent, statement)
	f.carried.Start.Intent = &signed
}

// run is what `rp-agent console` says to it.
func (f *forged) run(spec console.Spec) error {
	f.Helper()
	if err := f.host.Parts.Folders.WriteSpec(f.id, spec); err != nil {
		f.Fatal(err)
	}
	_, err := f.host.Parts.Command(f.id, uint32(os.Geteuid()), false)
	return err
}

// TestUnitOfDryRunsRefusesRealRuns: a run that may be started in two units could run twice at the same time.
func TestUnitOfDryRunsRefusesRealRuns(t *testing.T) {
	f := forge(t)
	if err := f.run(console.Spec{Step: f.step, Carried: &f.carried}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.host.Parts.Command(f.id, uint32(os.Geteuid()), true); err == nil || !strings.Contains(err.Error(), "this unit is for dry runs") {
		t.Errorf("the unit of dry runs: %v", err)
	}
}

// TestRealRunIsJudgedWhereItIsExecuted: whatever the agent's own user hands on, the application's user runs what
// people have signed for this host, and nothing else.
func TestRealRunIsJudgedWhereItIsExecuted(t *testing.T) {
	simulation := func(f *forged, change func(*proto.Simulation)) {
		var s proto.Simulation
		if err := proto.DecodeStrict([]byte(f.carried.Simulation.Body), &s); err != nil {
			f.Fatal(err)
		}
		change(&s)
		f.carried.Simulation = jobstest.NewSigner(f, "rp-preprod").Sign(f, proto.NamespaceSimulation, s)
	}
	approved := func(f *forged, change func(*proto.Approval)) {
		var a proto.Approval
		if err := proto.DecodeStrict([]byte(f.carried.Approval.Body), &a); err != nil {
			f.Fatal(err)
		}
		change(&a)
		signed := f.host.Claire.Sign(f, proto.NamespaceApproval, a)
		f.carried.Approval = &signed
	}
	for name, c := range map[string]struct {
		change func(*forged)
		words  string
	}{
		"honest":  {func(*forged) {}, ""},
		"nothing": {func(f *forged) { f.carried = plans.Carried{} }, "not the run of step"},

		"another step":             {func(f *forged) { f.step = jobstest.Plan().Steps()[1].Step }, "not what step 1.1 of the plan says"},
		"a step of its own":        {func(f *forged) { f.step.Value = "everybody" }, "not what step 1.1 of the plan says"},
		"more people":              {func(f *forged) { f.step.Field, f.step.Value, f.step.NoField = "", "", true }, "not what step 1.1 of the plan says"},
		"a step that is not there": {func(f *forged) { f.carried.Step = "9.9" }, "not the run of step"},
		"the same step again":      {func(f *forged) { f.id = console.NewID(f.carried.Start.ID, 7) }, "not the run of step"},
		"a run of another job":     {func(f *forged) { f.carried.Start.ID = "anotherjob1" }, "not the run of step"},
		"another job's start":      {func(f *forged) { f.carried.Start.ID = "anotherjob1"; f.id = console.NewRealID("anotherjob1", "1.1") }, "signed for another job"},
		"a simulation's start":     {func(f *forged) { f.carried.Start.Kind = proto.KindSimulate }, "of no job that applies"},
		"another plan": {func(f *forged) {
			f.carried.Start.Plan.Groups[0].Steps[0].Value = f.step.Value + "x"
			f.step.Value += "x"
		}, "gate 1 (simulation)"},
		"another plan, simulated": {func(f *forged) {
			f.carried.Start.Plan.Ticket = "x"
			simulation(f, func(s *proto.Simulation) { s.Plan = f.carried.Start.Plan.Digest() })
		}, "another plan"},
		"other figures":             {func(f *forged) { simulation(f, func(s *proto.Simulation) { s.Steps[0].Result.Moved++ }) }, "figures changed"},
		"a step done before":        {func(f *forged) { simulation(f, func(s *proto.Simulation) { s.Steps[0].Done = true }) }, "figures changed"},
		"a simulation cut":          {func(f *forged) { simulation(f, func(s *proto.Simulation) { s.Steps = s.Steps[:1] }) }, "not complete"},
		"a simulation of nothing":   {func(f *forged) { f.carried.Simulation = proto.Signed{} }, "not understood"},
		"another host's simulation": {func(f *forged) { simulation(f, func(s *proto.Simulation) { s.Host = "rp-prod" }) }, "made on rp-prod"},
		"another revision":          {func(f *forged) { f.host.Release.Revision = "def" }, "is def now"},
		"another revision, simulated": {func(f *forged) {
			f.host.Release.Revision = "def"
			simulation(f, func(s *proto.Simulation) { s.Revision = "def" })
		}, "signed for another revision"},

		"no approval": {func(f *forged) { f.carried.Approval = nil }, "nobody has approved"},
		"an approval of its own": {func(f *forged) {
			s := jobstest.NewSigner(f, "claire").Sign(f, proto.NamespaceApproval, proto.Approval{Kind: "approval"})
			f.carried.Approval = &s
		}, "not accepted here"},
		"an approval edited": {func(f *forged) {
			f.carried.Approval.Body = strings.Replace(f.carried.Approval.Body, "Claire", "Clairette", 1)
		}, "the text was changed"},
		"an expired approval":   {func(f *forged) { approved(f, func(a *proto.Approval) { a.Expires = a.Time }) }, "expired"},
		"an approval of prod":   {func(f *forged) { approved(f, func(a *proto.Approval) { a.Environment = "prod" }) }, "another environment"},
		"the approver's start":  {func(f *forged) { f.resign(f.host.Claire) }, "cannot apply it too"},
		"no signed start":       {func(f *forged) { f.carried.Start.Intent = nil }, "not signed by an operator"},
		"a start of its own":    {func(f *forged) { f.resign(jobstest.NewSigner(f, "alice")) }, "not accepted here"},
		"a start of yesterday":  {func(f *forged) { f.carried.Created = f.carried.Created.Add(-plans.StartLife - time.Minute) }, "begins steps for 24 hours"},
		"a start of tomorrow":   {func(f *forged) { f.carried.Created = f.carried.Created.Add(time.Hour) }, "in the future"},
		"a start moved in time": {func(f *forged) { f.carried.Created = f.carried.Created.Add(-time.Hour) }, "signed at another time"},
		"another operator":      {func(f *forged) { f.carried.Operator = "bob@laptop" }, "another operator's name"},
		"a word of its own": {func(f *forged) {
			f.carried.Start.Resolve = []proto.Resolution{{Step: "1.1", As: proto.ResolveRerun, Reason: "again"}}
		}, "another word"},
		"a broken glass":          {func(f *forged) { f.carried.Start.BreakGlass = "friday" }, "not allowed by this host"},
		"a broken glass, allowed": {func(f *forged) { f.host.Parts.Config.Console.BreakGlass = true; f.carried.Start.BreakGlass = "friday" }, "another reason"},
		"no receipt":              {func(f *forged) { f.carried.Start.Receipts = nil; f.resign(f.host.Alice) }, "gate 4 (before)"},
		"a receipt of its own": {func(f *forged) {
			f.carried.Start.Receipts = []proto.Signed{jobstest.NewSigner(f, "rp-dev").Sign(f, proto.NamespaceApplied, f.dev)}
			f.resign(f.host.Alice)
		}, "not accepted here"},
		"a receipt changed on the way": {func(f *forged) {
			f.carried.Start.Receipts = append(f.carried.Start.Receipts, f.carried.Start.Receipts[0])
		}, "other receipts"},
		"approvers that changed": {func(f *forged) {
			f.host.Parts.Approvers = func() (signature.Signers, error) { return f.host.Alice.Key.Signers("alice"), nil }
		}, "not accepted here"},
		"hosts that changed": {func(f *forged) { f.host.Trusted = nil }, "not accepted here"},
	} {
		t.Run(name, func(t *testing.T) {
			f := forge(t)
			c.change(f)
			err := f.run(console.Spec{Step: f.step, Carried: &f.carried})
			if c.words == "" && err != nil || c.words != "" && (err == nil || !strings.Contains(err.Error(), c.words)) {
				t.Errorf("%v, want %q", err, c.words)
			}
		})
	}
}

// TestSpecOfAnOlderAgent: its dry runs are dry runs, and its real runs are refused.
func TestSpecOfAnOlderAgent(t *testing.T) {
	f := forge(t)
	if err := f.run(console.Spec{Step: f.step}); err == nil || !strings.Contains(err.Error(), "an older rp-agent started it") {
		t.Error(err)
	}
	f.id = console.NewDryID("anyjob00001", 3)
	if err := f.run(console.Spec{Step: f.step, DryRun: true}); err != nil {
		t.Error(err)
	}
	run, err := f.host.Parts.Command(f.id, uint32(os.Geteuid()), false)
	if err != nil || run.Argv[len(run.Argv)-1] != "--dry-run" {
		t.Errorf("%q, %v", run.Argv, err)
	}
}

// TestSelfApprovalNeedsTheApprovalAlone: what is left to the agent's user where one person may do both.
func TestSelfApprovalNeedsTheApprovalAlone(t *testing.T) {
	f := forge(t)
	f.host.Parts.Config.Console.SelfApproval = true
	f.carried.Start.Intent = nil
	if err := f.run(console.Spec{Step: f.step, Carried: &f.carried}); err != nil {
		t.Error(err)
	}
	f.carried.Approval = nil
	if err := f.run(console.Spec{Step: f.step, Carried: &f.carried}); err == nil {
		t.Error("it runs without an approval")
	}
}

// TestAStepIsRunOnceInAJob: the real run of a step has one name in a job, which its output takes for good.
func TestAStepIsRunOnceInAJob(t *testing.T) {
	h, p := jobstest.NewHost(t), jobstest.Plan()
	h.Approve(p)
	job := h.Do(proto.JobStartArgs{Kind: proto.KindApply, Plan: p})
	for _, step := range p.Steps() {
		id := console.NewRealID(job.ID, step.ID)
		if _, err := os.Stat(filepath.Join(h.Parts.Folders.Output, string(id)+".out")); err != nil {
			t.Errorf("step %s: %v", step.ID, err)
		}
		if id.Dry() {
			t.Errorf("%s is a dry run's", id)
		}
	}
}
