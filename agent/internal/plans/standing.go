package plans

import (
	"time"

	"github.com/re-connect/rpctl/agent/internal/gates"
	"github.com/re-connect/rpctl/internal/signature"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

// Question is what a caller brings to the gates, and what the host is at this moment.
type Question struct {
	Plan       plan.Plan
	Receipts   []proto.Signed // of other hosts
	Resolve    []proto.Resolution
	Intent     *proto.Signed
	Job        proto.JobID
	BreakGlass string

	Rules    *proto.Console
	Revision string
	Running  proto.JobID
	Mark     time.Time // the newest time of the audit
	// Asked is when the job was asked for, which is what an intent's age is counted to; Now is now.
	Asked, Now time.Time
}

// Standing is everything that the gates look at, and the evidence that it was made of.
func (f Folder) Standing(q Question) (gates.Standing, Evidence, error) {
	digest := q.Plan.Digest()
	e, err := f.Evidence(digest, q.Now)
	if err != nil {
		return gates.Standing{}, e, err
	}
	standing := gates.Standing{
		Environment: f.Environment, Host: f.Host, Plan: q.Plan, Revision: q.Revision, Now: q.Now, Latest: e.Latest(), Mark: q.Mark,
		Simulation: e.Simulation, Approval: e.Approval, Steps: e.Steps.State(), Looked: e.looked(), Resolved: map[plan.StepID]string{},
		Running: q.Running, BreakGlass: q.BreakGlass, Sealed: e.Applied != nil,
	}
	if q.Rules != nil {
		standing.Rules = *q.Rules
	}
	for _, r := range q.Resolve {
		standing.Resolved[r.Step] = r.As
	}
	if standing.Intent, err = f.intent(q, digest, e); err != nil {
		return gates.Standing{}, e, err
	}
	if standing.Intent != "" {
		standing.IntentKey = signature.Fingerprint(*q.Intent)
	}
	standing.Applied, err = f.others(q, e)
	return standing, e, err
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

// intent is who signed the start of this very job; nobody, with a doubt, when the signature does not count.
func (f Folder) intent(q Question, digest string, e Evidence) (string, error) {
	if q.Intent == nil {
		return "", nil
	}
	approvers, err := f.Keys.Approvers()
	if err != nil {
		return "", err
	}
	var intent proto.Intent
	signer, err := Open(approvers, *q.Intent, proto.NamespaceIntent, &intent, q.Asked)
	switch {
	case err != nil:
		e.Doubts[gates.Approval] = "the start of the job: " + err.Error()
	case intent.Environment != f.Environment || intent.Plan != digest || intent.Job != q.Job:
		e.Doubts[gates.Approval] = "the start was signed for another job"
	case q.Asked.Sub(intent.Time) > proto.IntentLife || intent.Time.Sub(q.Asked) > proto.ClockSkew:
		e.Doubts[gates.Approval] = "the start was signed at another time"
	default:
		return signer, nil
	}
	return "", nil
}

// others are the receipts of other hosts that verify.
func (f Folder) others(q Question, e Evidence) ([]gates.From, error) {
	if len(q.Receipts) == 0 {
		return nil, nil
	}
	hosts, err := f.Keys.Hosts()
	if err != nil {
		return nil, err
	}
	var all []gates.From
	for _, signed := range q.Receipts {
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
			all[i].Why += " (" + doubt + ")"
		}
	}
	return all
}

// Refusal is gates.Refusal with the doubts.
func (e Evidence) Refusal(s gates.Standing) *proto.Error {
	refusal := gates.Refusal(s)
	if refusal == nil {
		return nil
	}
	for _, gate := range gates.All(s) {
		if doubt := e.Doubts[gate.Gate]; doubt != "" && !gate.Open {
			refusal.Message += " (" + doubt + ")"
		}
	}
	return refusal
}
