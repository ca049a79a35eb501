// Package gates decides whether a plan may run on this host. It only judges:
// what it looks at was read from the host's disk and verified by its callers,
// and nothing in it comes from the controller's word.
package gates

import (
	"fmt"
	"time"

	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

// The gates' numbers, as docs/gates.md has them. Drift and order are asked
// again by the runner immediately before each step.
const (
	Simulation = 1 + iota
	Conflicts
	Approval
	Before
	Drift
	Order
	Alone
	Unresolved
	Host
	Clock
)

// names are what people call the gates.
var names = [...]string{Simulation: "simulation", Conflicts: "conflicts", Approval: "approval", Before: "before",
	Drift: "drift", Order: "order", Alone: "alone", Unresolved: "unresolved", Host: "host", Clock: "clock"}

// Standing is everything that the gates look at.
type Standing struct {
	Environment string
	Host        string
	Rules       proto.Console
	Plan        plan.Plan
	Revision    string // of the application, now
	Now         time.Time
	Latest      time.Time // the newest time that this host's evidence of the plan has
	Mark        time.Time // the newest time of this host's audit, which only rises

	Simulation *proto.Simulation // made and signed by this host
	Approval   *Approved
	Intent     string // who signed the start of this job; empty for nobody
	IntentKey  string // and with which key
	Looking    bool   // nothing is to be started: there is no start yet that could be signed
	Applied    []From
	Steps      map[plan.StepID]proto.StepState
	Looked     map[plan.StepID]int64  // how many the simulation found left of a step of which nothing was run since
	Sealed     bool                   // this host has signed that the plan was applied here
	Resolved   map[plan.StepID]string // the operator's word on steps: rerun or done
	Running    proto.JobID            // the mutating job of this application that has not ended
	BreakGlass string                 // the operator's reason
}

// Approved is an approval with its key, and the name that the approvers file gives that.
type Approved struct {
	proto.Approval
	Signer string
	Key    string // fingerprint
	// Revoked says who withdrew it, and why; empty while it counts.
	Revoked string
	// Unread says that the revocation cannot be read: no newer approval counts until it is revoked again.
	Unread bool
}

// From is another host's receipt with the name that the trusted hosts file gives its key.
type From struct {
	proto.Applied
	Signer string
}

// asked are the gates that can be judged before a job begins, each with the
// question that says why it is closed (empty: open) and what to type next.
var asked = []struct {
	gate int
	ask  func(Standing) (why string, next proto.Advice)
}{
	{Simulation, simulation}, {Conflicts, conflicts}, {Approval, approval}, {Before, before},
	{Order, order}, {Alone, alone}, {Unresolved, unresolved}, {Host, host}, {Clock, clock},
}

// All asks every gate, in the order of their numbers.
func All(s Standing) []proto.GateStatus {
	all := make([]proto.GateStatus, Clock)
	all[Drift-1] = proto.GateStatus{Gate: Drift, Name: proto.HostText(names[Drift]), Open: true,
		Why: "a fresh dry run is compared with the forecast immediately before each step"}
	for _, g := range asked {
		why, next := g.ask(s)
		all[g.gate-1] = proto.GateStatus{Gate: g.gate, Name: proto.HostText(names[g.gate]), Open: why == "", Why: proto.HostText(why), Advice: next}
	}
	if status := &all[Approval-1]; status.Open && s.Looking && !s.Rules.SelfApproval {
		status.Why = proto.HostText("approved by " + s.Approval.Signer + "; another person must sign the start")
	}
	return all
}

// Refusal is the first closed gate as an error, or nil when the plan may run.
func Refusal(s Standing) *proto.Error {
	return refusal(s, func(int) bool { return true })
}

// atUse are the gates that signatures decide, and root's files: who executes a step can ask them without the
// agent's own record.
var atUse = map[int]bool{Simulation: true, Conflicts: true, Approval: true, Before: true, Host: true}

// AtUse is Refusal for who executes a step, by the gates that need no word of the agent's user.
func AtUse(s Standing) *proto.Error {
	return refusal(s, func(gate int) bool { return atUse[gate] })
}

func refusal(s Standing, asked func(gate int) bool) *proto.Error {
	if s.BreakGlass != "" {
		if refused := glass(s); refused != nil {
			return refused
		}
	}
	for _, gate := range All(s) {
		if gate.Open || !asked(gate.Gate) || s.BreakGlass != "" && passable[gate.Gate] {
			continue
		}
		return refuse(gate.Gate, fmt.Sprintf("gate %d (%s) is closed: %s", gate.Gate, gate.Name, gate.Why), gate.Advice)
	}
	return nil
}

func refuse(gate int, why string, next proto.Advice) *proto.Error {
	return &proto.Error{Code: proto.CodeGate, Gate: gate, Message: proto.HostText("cannot apply the plan: " + why), Advice: next}
}
