package gates

import (
	"fmt"
	"time"

	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

// simulation: a complete one, of this very plan, here, by this host, in time, on the same revision.
func simulation(s Standing) (why string, next proto.Advice) {
	again := proto.Advice{Code: proto.AdviceSimulate}
	r := s.Simulation
	switch {
	case r == nil:
		return "this plan was not simulated on " + s.Host, again
	case r.Plan != s.Plan.Digest():
		return "the simulation is of another plan: the plan was changed since", again
	case r.Environment != s.Environment || r.Host != s.Host:
		return fmt.Sprintf("the simulation was made on %s (%s)", r.Host, r.Environment), again
	case len(r.Steps) != len(s.Plan.Steps()):
		return "the simulation is not complete", again
	case !s.Now.Before(r.Expires) || s.Now.After(r.Time.Add(life(s.Rules))):
		return "the simulation of " + stamp(r.Time) + " is too old", again
	case r.Revision == "" || s.Revision == "":
		return "the release says no revision, in a file REVISION that Deployer writes, and so nobody can tell whether it is that of the simulation",
			proto.Advice{Code: proto.AdviceDeploy}
	case r.Revision != s.Revision:
		return fmt.Sprintf("the application was %s at the simulation and is %s now", revision(r.Revision), revision(s.Revision)), again
	}
	for i, step := range s.Plan.Steps() {
		if r.Steps[i].Step != step.ID {
			return "the simulation's steps are not the plan's", again
		}
	}
	return "", proto.Advice{}
}

func life(rules proto.Console) time.Duration {
	if rules.SimulationHours <= 0 {
		return proto.DefaultSimulationHours * time.Hour
	}
	return time.Duration(rules.SimulationHours) * time.Hour
}

// conflicts: no shared accommodation without a recorded yes (runbook, "Cas problématique").
func conflicts(s Standing) (why string, next proto.Advice) {
	if s.Simulation == nil {
		return "", proto.Advice{} // the gate before says so
	}
	again := proto.Advice{Code: proto.AdviceSimulate}
	for i, step := range s.Plan.Steps() {
		if i >= len(s.Simulation.Steps) {
			break
		}
		for _, c := range s.Simulation.Steps[i].Result.Conflicts {
			switch decided, accepted := decision(step.Step, c.Accommodation); {
			case !decided:
				return fmt.Sprintf("step %s: accommodation %d holds people who move and people who stay, and nobody has decided: the plan wants a decision on it", step.ID, c.Accommodation), again
			case !accepted:
				return fmt.Sprintf("step %s: it was decided not to move accommodation %d: take with_accommodations out of the step, or change the decision", step.ID, c.Accommodation), again
			}
		}
	}
	return "", proto.Advice{}
}

func decision(step plan.Step, accommodation int64) (decided, accepted bool) {
	for _, d := range step.Decisions {
		if d.Accommodation == accommodation {
			return true, d.Accepted
		}
	}
	return false, false
}

// approval: one that fits plan, environment and figures, in time, by another than the operator.
func approval(s Standing) (why string, next proto.Advice) {
	if why, next = approved(s); why != "" {
		return why, next
	}
	if reason := s.Approval.BreakGlass; reason != "" {
		return fmt.Sprintf("%s approved breaking the glass (%.500q), and nothing else", s.Approval.Signer, reason), look()
	}
	return another(s)
}

// approved: there is an approval of these figures, in time.
func approved(s Standing) (why string, next proto.Advice) {
	ask := proto.Advice{Code: proto.AdviceApprove}
	a := s.Approval
	switch {
	case a == nil:
		return "nobody has approved this plan", ask
	case a.Unread:
		return "the approval of " + a.Signer + " does not count: " + a.Revoked, proto.Advice{Code: proto.AdviceRevoke}
	case a.Revoked != "":
		return "the approval of " + a.Signer + " does not count: " + a.Revoked, ask
	case a.Plan != s.Plan.Digest() || a.Environment != s.Environment:
		return "the approval is for another plan or another environment", ask
	case s.Simulation != nil && a.Figures != s.Simulation.FiguresDigest():
		return "the figures changed since " + a.Signer + " approved them", ask
	case !s.Now.Before(a.Expires) || s.Now.After(a.Time.Add(a.Life(s.Rules))): // a signer may have written a hundred years
		return "the approval of " + stamp(a.Time) + " has expired", ask
	}
	return "", proto.Advice{}
}

// another: where the host wants two people, the start is signed by another than the approver, and by another key.
func another(s Standing) (why string, next proto.Advice) {
	a := s.Approval
	switch {
	case s.Looking || s.Rules.SelfApproval:
		return "", proto.Advice{}
	case s.Intent == "":
		return "the start of the job is not signed by an operator whom this host knows, and so nobody can tell whether approver and operator are two people: apply it with a key that stands in /etc/rp-agent/approvers",
			proto.Advice{Code: proto.AdviceKeys}
	case s.Intent == a.Signer:
		return a.Signer + " approved the plan and cannot apply it too: " + otherPerson, look()
	case s.IntentKey == a.Key: // one key under two names is one person
		return fmt.Sprintf("%s approved the plan and %s would apply it, with one and the same key: %s", a.Signer, s.Intent, otherPerson), look()
	}
	return "", proto.Advice{}
}

// look is for a gate that no command of this person's own opens.
func look() proto.Advice { return proto.Advice{Code: proto.AdvicePlanStatus} }

// otherPerson opens the gate, and is no command.
const otherPerson = "let another operator apply it, or another approver approve it"

// before: this very plan was applied and verified in the environment that comes first.
func before(s Standing) (why string, next proto.Advice) {
	if s.Rules.After == "" {
		return "", proto.Advice{}
	}
	first := proto.Advice{Code: proto.AdviceBefore}
	why = "there is no receipt that this plan was applied and verified in " + s.Rules.After
	for _, r := range s.Applied {
		switch {
		case r.Environment != s.Rules.After || r.Plan != s.Plan.Digest():
			continue
		case r.Signer != r.Host:
			why = fmt.Sprintf("the receipt speaks of host %s, and was signed by %s", r.Host, r.Signer)
		case !s.Now.Before(r.Expires) || s.Now.After(r.Time.Add(s.Rules.ReceiptLife())): // its host may have written a hundred years
			why = "the receipt of " + r.Host + " has expired"
		case r.BreakGlass != "":
			why = "the plan was applied in " + r.Environment + " behind a broken glass"
		case len(r.Steps) != len(s.Plan.Steps()):
			why = "the receipt of " + r.Host + " is not of all steps"
		default:
			return "", proto.Advice{}
		}
	}
	return why, first
}

// clock: no evidence from the future, and no clock that was turned back.
func clock(s Standing) (why string, next proto.Advice) {
	limit := s.Now.Add(proto.ClockSkew)
	future := func(what string, at time.Time) bool {
		if at.After(limit) {
			why, next = fmt.Sprintf("%s is of %s, and this host's clock says %s", what, stamp(at), stamp(s.Now)), proto.Advice{Code: proto.AdviceClock}
		}
		return why != ""
	}
	if s.Simulation != nil && future("the simulation", s.Simulation.Time) || s.Approval != nil && future("the approval", s.Approval.Time) {
		return why, next
	}
	for _, r := range s.Applied {
		if future("the receipt of "+r.Host, r.Time) {
			return why, next
		}
	}
	if future("this host's own evidence", s.Latest) { // the simulation is a part of it
		return why, next
	}
	if future("the newest entry of this host's audit", s.Mark) {
		why += ": the clock was turned back, or it was wrong then; once timedatectl shows that it is right, root accepts it"
		next = proto.Advice{Code: proto.AdviceClockReset}
	}
	return why, next
}

func stamp(at time.Time) string { return at.UTC().Format("2006-01-02 15:04 UTC") }

func revision(r string) string {
	if r == "" {
		return "unknown"
	}
	return r
}
