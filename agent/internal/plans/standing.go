package plans

import (
	"slices"
	"time"

	"github.com/re-connect/rpctl/agent/internal/gates"
	"github.com/re-connect/rpctl/internal/signature"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

// Question is what a caller brings to the gates, and what the host is at this moment.
type Question struct {
	Start    proto.JobStartArgs // of a lookup: the plan and the receipts
	Operator string             // as the caller told

	Rules    *proto.Console
	Revision string
	Running  proto.JobID
	Mark     time.Time // the newest time of the audit
	// Asked is when the job was asked for, which is what an intent's age is counted to; Now is now.
	Asked, Now time.Time
}

// Standing is everything that the gates look at, and the evidence that it was made of.
func (f Folder) Standing(q Question) (gates.Standing, Evidence, error) {
	e, err := f.Evidence(q.Start.Plan.Digest(), q.Now)
	if err != nil {
		return gates.Standing{}, e, err
	}
	standing, err := f.standing(q, e)
	return standing, e, err
}

// standing is what the evidence and the caller come to.
func (f Folder) standing(q Question, e Evidence) (standing gates.Standing, err error) {
	standing = gates.Standing{
		Environment: f.Environment, Host: f.Host, Plan: q.Start.Plan, Revision: q.Revision, Now: q.Now, Latest: e.Latest(), Mark: q.Mark,
		Simulation: e.Simulation, Approval: e.Approval, Steps: e.Steps.State(), Looked: e.looked(), Resolved: map[plan.StepID]string{},
		Running: q.Running, BreakGlass: q.Start.BreakGlass, Sealed: e.Applied != nil,
	}
	if q.Rules != nil {
		standing.Rules = *q.Rules
	}
	for _, r := range q.Start.Resolve {
		standing.Resolved[r.Step] = r.As
	}
	if standing.Intent, err = f.intent(q, e); err != nil {
		return standing, err
	}
	if standing.Intent != "" {
		standing.IntentKey = signature.Fingerprint(*q.Start.Intent)
	}
	standing.Applied, err = f.others(q, e)
	return standing, err
}

// looked is how many the simulation found left of each step that had ended before it, and not well.
func (e Evidence) looked() map[plan.StepID]int64 {
	found := map[plan.StepID]int64{}
	for _, step := range e.Steps.Steps {
		if e.Simulation != nil && step.Remaining != nil && !step.Ended.IsZero() && e.Simulation.Time.After(step.Ended) {
			found[step.Step] = *step.Remaining
		}
	}
	return found
}

// intent is who signed the whole start of this very job; nobody, with a doubt, when the signature does not count.
func (f Folder) intent(q Question, e Evidence) (string, error) {
	if q.Start.Intent == nil {
		return "", nil
	}
	approvers, err := f.Keys.Approvers()
	if err != nil {
		return "", err
	}
	var intent proto.Intent
	signer, err := Open(approvers, *q.Start.Intent, proto.NamespaceIntent, &intent, q.Asked)
	doubt := ""
	switch {
	case err != nil:
		doubt = "the start of the job: " + err.Error()
	case intent.Version < proto.IntentVersion:
		doubt = "the start was signed by an older rpctl, whose signature does not cover all of it: upgrade rpctl"
	case intent.Version > proto.IntentVersion:
		doubt = "the start was signed by a newer rpctl: upgrade rp-agent"
	case q.Asked.Sub(intent.Time) > proto.IntentLife || intent.Time.Sub(q.Asked) > proto.ClockSkew:
		doubt = "the start was signed at another time"
	case intent.BreakGlass != "" && q.Rules != nil && q.Rules.RequireSK && !signature.InHardware(*q.Start.Intent):
		doubt = "the start breaks the glass, and require_sk wants it signed by a hardware key with touch (sk-ssh-ed25519 or sk-ecdsa)"
	default:
		doubt = f.covers(intent, q, e)
	}
	if doubt != "" {
		if had := e.Doubts[gates.Approval]; had != "" { // of the approval itself
			doubt = had + "; " + doubt
		}
		e.Doubts[gates.Approval] = doubt
		return "", nil
	}
	return signer, nil
}

// covers says in what the start that was signed is another than the one that is asked for.
func (f Folder) covers(signed proto.Intent, q Question, e Evidence) string {
	var simulation proto.Simulation
	if e.Simulation != nil {
		simulation = *e.Simulation
	}
	asked := q.Start.Statement(f.Environment, f.Host, q.Operator, simulation, e.SignedApproval, signed.Time)
	for _, part := range []struct {
		same bool
		what string
	}{
		{signed.Environment == asked.Environment && signed.Host == asked.Host && signed.Plan == asked.Plan && signed.Job == asked.Job, "for another job"},
		{signed.Figures == asked.Figures, "for other figures than those of this host's simulation"},
		{signed.Revision == asked.Revision, "for another revision of the application than this host's simulation has"},
		{signed.Approval == asked.Approval, "for another approval than this host has"},
		{slices.Equal(signed.Resolve, asked.Resolve), "with another word on a step, or another reason"},
		{signed.BreakGlass == asked.BreakGlass, "with another reason for breaking the glass, or without one"},
		{slices.Equal(signed.Receipts, asked.Receipts), "with other receipts"},
		{signed.Operator == asked.Operator, "in another operator's name"},
		{proto.CanonicalBody(signed) == proto.CanonicalBody(asked), "for another start"},
	} {
		if !part.same {
			return "the start was signed " + part.what
		}
	}
	return ""
}

// others are the receipts of other hosts that verify.
func (f Folder) others(q Question, e Evidence) ([]gates.From, error) {
	if len(q.Start.Receipts) == 0 {
		return nil, nil
	}
	hosts, err := f.Keys.Hosts()
	if err != nil {
		return nil, err
	}
	var all []gates.From
	for _, signed := range q.Start.Receipts {
		var applied proto.Applied
		signer, err := Open(hosts, signed, proto.NamespaceApplied, &applied, q.Now)
		if err != nil {
			e.Doubts[gates.Before] = err.Error()
			continue
		}
		all = append(all, gates.From{Applied: applied, Signer: signer})
	}
	return all, nil
}

// Explain adds the doubts to the gates that they closed.
func (e Evidence) Explain(all []proto.GateStatus) []proto.GateStatus {
	for i, gate := range all {
		if doubt := e.Doubts[gate.Gate]; doubt != "" && !gate.Open {
			all[i].Why += proto.HostText(" (" + doubt + ")")
		}
	}
	return all
}

// Refusal is gates.Refusal with the doubts.
func (e Evidence) Refusal(s gates.Standing) *proto.Error { return e.explained(gates.Refusal(s), s) }

// explained is a refusal with the doubts about its gate and about all that are closed.
func (e Evidence) explained(refusal *proto.Error, s gates.Standing) *proto.Error {
	if refusal == nil {
		return nil
	}
	for _, gate := range gates.All(s) {
		if doubt := e.Doubts[gate.Gate]; doubt != "" && (!gate.Open || gate.Gate == refusal.Gate) {
			refusal.Message += proto.HostText(" (" + doubt + ")")
		}
	}
	return refusal
}
