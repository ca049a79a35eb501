package gates

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

var now = time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC)

// ready is a standing in which every gate is open: prod, simulated, approved by
// claire, applied in preprod, started by alice.
func ready() Standing {
	p := plan.Plan{Version: 1, Ticket: "t", Centre: "c", Groups: []plan.Group{{Steps: []plan.Step{
		{Origin: plan.Centre{ID: 1, Name: "A"}, Destination: plan.Centre{ID: 2, Name: "B"}, Field: "f", Value: "x",
			WithAccommodations: true, Decisions: []plan.Decision{{Accommodation: 892, Accepted: true, By: "PO", Why: "ok"}}},
		{Origin: plan.Centre{ID: 1, Name: "A"}, Destination: plan.Centre{ID: 3, Name: "C"}, Field: "f", Value: "y"},
	}}}}
	figures := []plan.Figures{{Origin: 160, Destination: 0, Moved: 41}, {Origin: 160, Destination: 180, Moved: 10}}
	forecasts, err := plan.Forecasts(p, figures, plan.NoneDone)
	if err != nil {
		panic(err)
	}
	simulation := &proto.Simulation{Environment: "prod", Host: "rp-prod", Plan: p.Digest(), Revision: "abc",
		Time: now.Add(-time.Hour), Expires: now.Add(time.Hour)}
	for i, f := range forecasts {
		simulation.Steps = append(simulation.Steps, proto.SimulatedStep{Step: f.Step, Forecast: f, Result: proto.StepResult{Figures: figures[i]}})
	}
	simulation.Steps[0].Result.Conflicts = []proto.Conflict{{Centre: 1, Accommodation: 892, Staying: []int64{1}, Moving: []int64{2}}}
	return Standing{
		Environment: "prod", Host: "rp-prod", Plan: p, Revision: "abc", Now: now, Latest: now,
		Rules:      proto.Console{PHP: "/usr/bin/php", Script: "bin/console", After: "preprod", SimulationHours: 24},
		Simulation: simulation, Intent: "alice", IntentKey: "SHA256:a",
		Approval: &Approved{Signer: "claire", Key: "SHA256:c", Approval: proto.Approval{Environment: "prod", Plan: p.Digest(),
			Figures: simulation.FiguresDigest(), Time: now.Add(-time.Minute), Expires: now.Add(time.Hour)}},
		Applied: []From{{Signer: "rp-preprod", Applied: proto.Applied{Environment: "preprod", Host: "rp-preprod", Plan: p.Digest(),
			Time: now.Add(-time.Minute), Expires: now.Add(time.Hour), Steps: forecasts}}},
		Steps: map[plan.StepID]proto.StepState{}, Resolved: map[plan.StepID]string{},
	}
}

func TestEveryGateOpens(t *testing.T) {
	if refusal := Refusal(ready()); refusal != nil {
		t.Fatal(refusal)
	}
	all := All(ready())
	for i, gate := range all {
		if gate.Gate != i+1 || gate.Name == "" || !gate.Open {
			t.Errorf("%+v", gate)
		}
	}
	if len(all) != 10 {
		t.Errorf("%d gates", len(all))
	}
}

func TestEachGateRefuses(t *testing.T) {
	edit := func(s *Standing) { s.Plan.Centre = "edited after the approval" }
	for name, c := range map[string]struct {
		change func(*Standing)
		gate   int
		why    string
	}{
		"no simulation":          {func(s *Standing) { s.Simulation = nil }, Simulation, "not simulated"},
		"plan edited":            {edit, Simulation, "another plan"},
		"simulated elsewhere":    {func(s *Standing) { s.Simulation.Environment = "preprod" }, Simulation, "made on"},
		"simulated by another":   {func(s *Standing) { s.Simulation.Host = "rp-prod2" }, Simulation, "made on"},
		"simulation incomplete":  {func(s *Standing) { s.Simulation.Steps = s.Simulation.Steps[:1] }, Simulation, "not complete"},
		"steps in another order": {func(s *Standing) { s.Simulation.Steps[0].Step = "1.2" }, Simulation, "not the plan's"},
		"simulation expired":     {func(s *Standing) { s.Simulation.Expires = now }, Simulation, "too old"},
		"simulation past limit":  {func(s *Standing) { s.Simulation.Time = now.Add(-25 * time.Hour) }, Simulation, "too old"},
		"new revision":           {func(s *Standing) { s.Revision = "def" }, Simulation, "abc at the simulation and is def"},
		"new revision, begun": {func(s *Standing) { s.Steps["1.1"], s.Revision = proto.StepVerified, "def" }, Simulation,
			"abc at the simulation and is def"},
		"revision not known":      {func(s *Standing) { s.Revision, s.Simulation.Revision = "", "" }, Simulation, "says no revision"},
		"nobody decided":          {func(s *Standing) { s.Simulation.Steps[0].Result.Conflicts[0].Accommodation = 893 }, Conflicts, "nobody has decided"},
		"conflict in second step": {func(s *Standing) { s.Simulation.Steps[1].Result.Conflicts = []proto.Conflict{{Accommodation: 892}} }, Conflicts, "step 1.2"},
		"not approved":            {func(s *Standing) { s.Approval = nil }, Approval, "nobody has approved"},
		"approved elsewhere":      {func(s *Standing) { s.Approval.Environment = "preprod" }, Approval, "another environment"},
		"approved another plan":   {func(s *Standing) { s.Approval.Plan = "00" }, Approval, "another plan"},
		"figures changed":         {func(s *Standing) { s.Simulation.Steps[1].Result.Moved = 11 }, Approval, "figures changed since claire"},
		"approval expired":        {func(s *Standing) { s.Approval.Expires = now }, Approval, "has expired"},
		"approved for ever": {func(s *Standing) {
			s.Approval.Time, s.Approval.Expires = now.Add(-8*24*time.Hour), now.Add(100*365*24*time.Hour)
		}, Approval, "has expired"},
		"approved by oneself":     {func(s *Standing) { s.Intent = "claire" }, Approval, "cannot apply it too"},
		"one key, two names":      {func(s *Standing) { s.IntentKey = "SHA256:c" }, Approval, "one and the same key"},
		"unsigned start":          {func(s *Standing) { s.Intent = "" }, Approval, "not signed"},
		"not in preprod":          {func(s *Standing) { s.Applied = nil }, Before, "no receipt"},
		"receipt of prod itself":  {func(s *Standing) { s.Applied[0].Environment = "prod" }, Before, "no receipt"},
		"receipt of another plan": {func(s *Standing) { s.Applied[0].Plan = "00" }, Before, "no receipt"},
		"receipt of another host": {func(s *Standing) { s.Applied[0].Host = "rp-laptop" }, Before, "speaks of host rp-laptop"},
		"receipt expired":         {func(s *Standing) { s.Applied[0].Expires = now }, Before, "has expired"},
		"receipt for ever": {func(s *Standing) {
			s.Applied[0].Time, s.Applied[0].Expires = now.Add(-31*24*time.Hour), now.Add(100*365*24*time.Hour)
		}, Before, "has expired"},
		"receipt past the host's limit": {func(s *Standing) {
			s.Rules.ReceiptDays = 2
			s.Applied[0].Time, s.Applied[0].Expires = now.Add(-49*time.Hour), now.Add(28*24*time.Hour)
		}, Before, "has expired"},
		"receipt of no time": {func(s *Standing) {
			s.Applied[0].Time, s.Applied[0].Expires = time.Time{}, now.Add(time.Hour)
		}, Before, "has expired"},
		"receipt half":        {func(s *Standing) { s.Applied[0].Steps = s.Applied[0].Steps[:1] }, Before, "not of all steps"},
		"glass broken before": {func(s *Standing) { s.Applied[0].BreakGlass = "friday" }, Before, "broken glass"},
		"out of order":        {func(s *Standing) { s.Steps["1.2"] = proto.StepVerified }, Order, "step 1.1 before it is not"},
		"all done": {func(s *Standing) {
			s.Steps["1.1"], s.Steps["1.2"], s.Sealed = proto.StepVerified, proto.StepVerified, true
		}, Order, "verified already"},
		"done, and not recorded":   {func(s *Standing) { s.Simulation.Steps[0].Done = true }, Order, "record of it does not say so"},
		"signed, and not recorded": {func(s *Standing) { s.Sealed = true }, Order, "record of step 1.1 does not say so"},
		"another job":              {func(s *Standing) { s.Running = "abcdefgh" }, Alone, "job abcdefgh is running"},
		"interrupted":              {func(s *Standing) { s.Steps["1.1"] = proto.StepInterrupted }, Unresolved, "step 1.1 is interrupted"},
		"needless word":            {func(s *Standing) { s.Resolved["1.2"] = "rerun" }, Unresolved, "needs no resolution"},
		"bad plan":                 {func(s *Standing) { s.Plan.Groups[0].Steps[0].Origin.ID = -1; renew(s) }, Host, "positive"},
		"no console":               {func(s *Standing) { s.Rules.PHP = "" }, Host, "runs no console commands"},
		"simulation of tomorrow":   {func(s *Standing) { s.Simulation.Time = now.Add(3 * time.Minute) }, Clock, "the simulation is of"},
		"approval of tomorrow":     {func(s *Standing) { s.Approval.Time = now.Add(time.Hour) }, Clock, "the approval is of"},
		"receipt of tomorrow":      {func(s *Standing) { s.Applied[0].Time = now.Add(time.Hour) }, Clock, "the receipt of rp-preprod"},
		"clock turned back":        {func(s *Standing) { s.Latest = now.Add(24 * time.Hour) }, Clock, "own evidence"},
	} {
		t.Run(name, func(t *testing.T) {
			s := ready()
			c.change(&s)
			all := All(s)
			gate := all[c.gate-1]
			if gate.Open || !strings.Contains(string(gate.Why), c.why) {
				t.Errorf("gate %d: %+v", c.gate, gate)
			}
			first := all[slices.IndexFunc(all, func(g proto.GateStatus) bool { return !g.Open })]
			if refusal := Refusal(s); refusal == nil || refusal.Gate != first.Gate {
				t.Errorf("refused by %+v, want gate %d", refusal, first.Gate)
			}
		})
	}
}

// renew makes the evidence speak of the plan as it is now.
func renew(s *Standing) {
	digest := s.Plan.Digest()
	s.Simulation.Plan, s.Approval.Plan, s.Applied[0].Plan = digest, digest, digest
	s.Approval.Figures = s.Simulation.FiguresDigest()
}

// TestNextLeadsOn: what a closed gate says to type is never what it has just refused.
func TestNextLeadsOn(t *testing.T) {
	waits := func(state proto.StepState) func(*Standing) {
		return func(s *Standing) { s.Steps["1.1"] = state }
	}
	for name, c := range map[string]struct {
		change    func(*Standing)
		gate      int
		why, next string
	}{
		"all done": {func(s *Standing) {
			s.Steps["1.1"], s.Steps["1.2"], s.Sealed = proto.StepVerified, proto.StepVerified, true
		}, Order, "verified already", "rpctl migrate status --plan PLAN"},
		"not looked at": {waits(proto.StepFailed), Unresolved, "a fresh dry run", "rpctl migrate --plan PLAN"},
		"some left": {func(s *Standing) {
			s.Steps["1.1"], s.Looked = proto.StepFailed, map[plan.StepID]int64{"1.1": 29}
		}, Unresolved, "step 1.1 is failed, and 29 are left", "rpctl migrate --apply --plan PLAN --resolve 1.1=rerun --reason 'a fresh dry run shows 29 left'"},
		"none left": {func(s *Standing) {
			s.Steps["1.1"], s.Looked = proto.StepUnverified, map[plan.StepID]int64{"1.1": 0}
		}, Unresolved, "step 1.1 is unverified, and 0 are left", "rpctl migrate --apply --plan PLAN --resolve 1.1=done --reason 'a fresh dry run shows 0 left'"},
		"running": {func(s *Standing) { s.Steps["1.1"], s.Running = proto.StepRunning, "abcdefgh" }, Unresolved,
			"step 1.1 is running", "rpctl attach abcdefgh"},
		"verifying": {func(s *Standing) { s.Steps["1.1"], s.Running = proto.StepVerifying, "abcdefgh" }, Unresolved,
			"step 1.1 is verifying", "rpctl attach abcdefgh"},
		"running, and no job is": {waits(proto.StepRunning), Unresolved, "--resolve", "rpctl migrate --plan PLAN"},
		"needless word": {func(s *Standing) { s.Resolved["1.2"] = "rerun" }, Unresolved, "needs no resolution",
			"rpctl migrate status --plan PLAN"},
	} {
		t.Run(name, func(t *testing.T) {
			s := ready()
			c.change(&s)
			if gate := All(s)[c.gate-1]; gate.Open || !strings.Contains(string(gate.Why), c.why) || gate.Advice.Text() != c.next {
				t.Errorf("%+v", gate)
			}
		})
	}
}

func TestAWordOpensAnInterruptedStep(t *testing.T) {
	s := ready()
	s.Steps["1.1"], s.Resolved["1.1"] = proto.StepInterrupted, "rerun"
	if refusal := Refusal(s); refusal != nil {
		t.Error(refusal)
	}
}

func TestBreakGlass(t *testing.T) {
	s := ready()
	s.Approval, s.Applied, s.BreakGlass = nil, nil, "people sleep outside"
	if refusal := Refusal(s); refusal == nil || refusal.Advice.Text() != "rpctl migrate status --plan PLAN" {
		t.Error("the host's file does not allow it")
	}
	s.Rules.BreakGlass = true
	if refusal := Refusal(s); refusal == nil || refusal.Gate != Approval || !strings.Contains(string(refusal.Message), "two people") {
		t.Errorf("one person broke the glass: %v", refusal)
	}
	s.Rules.SelfApproval = true
	if refusal := Refusal(s); refusal != nil {
		t.Error(refusal)
	}
	for name, change := range map[string]func(*Standing){
		"a running job":       func(s *Standing) { s.Running = "abcdefgh" },
		"an interrupted step": func(s *Standing) { s.Steps["1.1"] = proto.StepInterrupted },
		"no simulation":       func(s *Standing) { s.Simulation = nil },
		"an open conflict":    func(s *Standing) { s.Plan.Groups[0].Steps[0].Decisions = nil; s.Simulation.Plan = s.Plan.Digest() },
		"the clock":           func(s *Standing) { s.Latest = now.Add(time.Hour) },
		"the audit's clock":   func(s *Standing) { s.Mark = now.Add(time.Hour) },
		"no signed start":     func(s *Standing) { s.Intent = "" },
	} {
		s := ready()
		s.BreakGlass, s.Rules.BreakGlass, s.Rules.SelfApproval = "friday", true, true
		change(&s)
		if Refusal(s) == nil {
			t.Errorf("%s was passed", name)
		}
	}
}

// TestLooking: who only asks where a plan stands has nothing to sign yet.
func TestLooking(t *testing.T) {
	s := ready()
	s.Intent, s.Looking = "", true
	if gate := All(s)[Approval-1]; !gate.Open || !strings.Contains(string(gate.Why), "approved by claire; another person") {
		t.Errorf("%+v", gate)
	}
	s.Approval = nil
	if gate := All(s)[Approval-1]; gate.Open {
		t.Errorf("%+v", gate)
	}
}
