package proto

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/re-connect/rpctl/proto/plan"
)

// Signed is a text and an OpenSSH signature of exactly its bytes, as
// `ssh-keygen -Y sign` makes it. Namespace is part of what is signed, so that a
// receipt cannot pass for an approval.
type Signed struct {
	Namespace string `json:"namespace"`
	Body      string `json:"body" host:"signed"`      // canonical JSON and a newline
	Signature string `json:"signature" host:"signed"` // armored SSHSIG
}

// The namespaces.
const (
	NamespaceSimulation = "simulation@rpctl"
	NamespaceApproval   = "approval@rpctl"
	NamespaceApplied    = "applied@rpctl"
	NamespaceIntent     = "apply@rpctl"
	NamespaceRelease    = "release@rpctl" // an rp-agent, by the team that built it
)

// Simulation is what a host saw in the dry runs of a whole plan. Its receipt is signed by the host.
type Simulation struct {
	Kind        string          `json:"kind"` // "simulation"
	Environment string          `json:"environment"`
	Host        string          `json:"host"`
	Plan        string          `json:"plan"`     // digest
	Revision    string          `json:"revision"` // of the application
	Time        time.Time       `json:"time"`
	Expires     time.Time       `json:"expires"`
	Nonce       string          `json:"nonce"`
	Steps       []SimulatedStep `json:"steps"`
	// Resolved are the steps that are Done and whose figures may be less than all of what they did. They are
	// no figures, and no part of FiguresDigest.
	Resolved []ResolvedStep `json:"resolved,omitempty"`
	// Audit is where the host's audit ended when the receipt was signed; receipts of older agents have none.
	Audit *AuditHead `json:"audit,omitempty"`
}

// SimulatedStep is a step's dry run and what it will do when its turn comes.
type SimulatedStep struct {
	Step     plan.StepID   `json:"step"`
	Result   StepResult    `json:"result"`
	Forecast plan.Forecast `json:"forecast"`
	// Done says that the step was verified before this simulation: its figures are those that it was run by.
	Done bool `json:"done,omitempty"`
}

// Approval is a person's yes to a plan with exactly these figures, in one environment.
type Approval struct {
	Kind        string `json:"kind"` // "approval"
	Environment string `json:"environment"`
	Plan        string `json:"plan"`    // digest
	Figures     string `json:"figures"` // Simulation.FiguresDigest
	// By is the approver as they call themselves; the key says who signed.
	By string `json:"by"`
	// For and Evidence name who decided and where, when the approver signs another's answer.
	For      string `json:"for,omitempty"`
	Evidence string `json:"evidence,omitempty"`
	// BreakGlass is the reason for which a start may pass closed gates: the approval counts for such a start alone.
	BreakGlass string    `json:"break_glass,omitempty"`
	Time       time.Time `json:"time"`
	Expires    time.Time `json:"expires"`
	Nonce      string    `json:"nonce"`
}

// GlassLife is for how long an approval that breaks the glass is good at most.
const GlassLife = 24 * time.Hour

// Life is for how long the approval is good at most on a host with these rules.
func (a Approval) Life(rules Console) time.Duration {
	if a.BreakGlass != "" {
		return min(GlassLife, rules.ApprovalLife())
	}
	return rules.ApprovalLife()
}

// Applied says that a plan was run and verified, step by step. Its receipt is signed by the host.
type Applied struct {
	Kind        string          `json:"kind"` // "applied"
	Environment string          `json:"environment"`
	Host        string          `json:"host"`
	Plan        string          `json:"plan"`
	Revision    string          `json:"revision"`
	Job         JobID           `json:"job"`
	Time        time.Time       `json:"time"`
	Expires     time.Time       `json:"expires"`
	Nonce       string          `json:"nonce"`
	BreakGlass  string          `json:"break_glass,omitempty"`
	Steps       []plan.Forecast `json:"steps"` // what each step did
	// Resolved are the steps whose figures may be less than all of what they did.
	Resolved []ResolvedStep `json:"resolved,omitempty"`
	// Audit is where the host's audit ended when the receipt was signed; receipts of older agents have none.
	Audit *AuditHead `json:"audit,omitempty"`
}

// ResolvedAs is how a step went on by an operator's word, where it did.
func ResolvedAs(all []ResolvedStep, id plan.StepID) (ResolvedStep, bool) {
	for _, r := range all {
		if r.Step == id {
			return r, true
		}
	}
	return ResolvedStep{}, false
}

// ResolvedStep is a step that failed or was interrupted and went on by an operator's word. Its figures in
// the receipt are those of the simulation that counted then: of all of it, or, where the data had changed, of what was left.
type ResolvedStep struct {
	Step  plan.StepID `json:"step"`
	As    string      `json:"as"`              // ResolveRerun or ResolveDone
	First *int64      `json:"first,omitempty"` // how many people its first real run was approved to move, where that is known
}

// ApproveArgs brings an approval to the host that will judge it.
type ApproveArgs struct {
	Approval Signed `json:"approval"`
}

// PlanStatusArgs asks where a plan stands on this host. Receipts are those of
// other hosts that the caller would bring.
type PlanStatusArgs struct {
	Plan     plan.Plan `json:"plan"`
	Receipts []Signed  `json:"receipts,omitempty"`
}

// PlanStatus is where a plan stands, gate by gate.
type PlanStatus struct {
	Environment string       `json:"environment"`
	Host        string       `json:"host"`
	Plan        string       `json:"plan"`
	Steps       []JobStep    `json:"steps"`
	Gates       []GateStatus `json:"gates"`
	Simulation  *Signed      `json:"simulation,omitempty"`
	Approval    *Signed      `json:"approval,omitempty"`
	Applied     *Signed      `json:"applied,omitempty"`
	// Revocation is the newest one of the plan on this host, whether a newer approval counts or not.
	Revocation *Signed `json:"revocation,omitempty"`
	// Start is the newest version of a signed start (IntentVersion) that the host reads; agents before it leave it out.
	Start   int   `json:"start,omitempty"`
	Running JobID `json:"running,omitempty"`
}

// PlanState is a plan in an overview of a host; applied ones are there only while a broken glass is to be shown. State is known, simulated, approved, begun or applied.
type PlanState struct {
	Plan     string   `json:"plan"` // digest
	Ticket   HostText `json:"ticket"`
	Centre   HostText `json:"centre"`
	State    string   `json:"state"`
	Steps    int      `json:"steps"`
	Verified int      `json:"verified"`
	// Waiting are the steps that are never run again without the operator's word.
	Waiting []plan.StepID `json:"waiting,omitempty"`
	Job     JobID         `json:"job,omitempty"` // that works on it
	Changed time.Time     `json:"changed,omitzero"`
	// BreakGlass is why closed gates were passed, of a plan that was applied like that.
	BreakGlass HostText `json:"break_glass,omitempty"`
}

// GateStatus is one gate's answer: open, or closed with the reason and what to type next.
type GateStatus struct {
	Gate         int      `json:"gate"` // its number in docs/gates.md
	Name         HostText `json:"name"`
	Open         bool     `json:"open"`
	Why          HostText `json:"why,omitempty"`
	Advice       Advice   `json:"advice,omitzero"`
	Next         string   `json:"next,omitempty"`          // as in Error
	HostSuggests HostText `json:"host_suggests,omitempty"` // as in Error
}

// MarshalJSON adds Next, for controllers that do not know Advice.
func (g GateStatus) MarshalJSON() ([]byte, error) {
	type wire GateStatus
	if g.Next == "" {
		g.Next = g.Advice.Text()
	}
	return marshal(wire(g))
}

// Heard is called by rpctl when it has decoded the gate.
func (g *GateStatus) Heard() { heard(&g.Advice, &g.Next, &g.HostSuggests) }

// FiguresDigest is sha256, hex, over what the dry runs showed and what follows
// from it: what a person approves. A later simulation that shows the same
// figures has the same digest.
func (s Simulation) FiguresDigest() string {
	sum := sha256.Sum256([]byte(CanonicalBody(struct {
		Environment string          `json:"environment"`
		Plan        string          `json:"plan"`
		Steps       []SimulatedStep `json:"steps"`
	}{s.Environment, s.Plan, s.Steps})))
	return hex.EncodeToString(sum[:])
}

// CanonicalBody is what is signed: compact JSON, fields in the order of the types, one newline.
func CanonicalBody(v any) string {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		panic(err) // the types of this file cannot fail
	}
	return out.String()
}
