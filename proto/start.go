package proto

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// IntentVersion is the version of what an operator signs under a start. Texts without a version, of older
// rpctl, covered the environment, the plan and the job's id alone.
const IntentVersion = 2

// Intent is an operator's own signature under one start of one job, and covers the whole of it: where the
// approver must be another person, a name that is only told proves nothing.
type Intent struct {
	Kind        string       `json:"kind"` // "apply"
	Version     int          `json:"version,omitempty"`
	Environment string       `json:"environment"`
	Host        string       `json:"host,omitempty"`
	Plan        string       `json:"plan"`               // digest
	Figures     string       `json:"figures,omitempty"`  // Simulation.FiguresDigest of the host's simulation
	Revision    string       `json:"revision,omitempty"` // of the application, as that simulation has it
	Approval    string       `json:"approval,omitempty"` // Signed.Digest of the approval that the host has; empty for none
	Job         JobID        `json:"job"`
	Resolve     []Resolution `json:"resolve,omitempty"`
	BreakGlass  string       `json:"break_glass,omitempty"`
	Receipts    []string     `json:"receipts,omitempty"` // Signed.Digest of each that is handed in
	Operator    string       `json:"operator,omitempty"` // as the request says
	Time        time.Time    `json:"time"`
}

// IntentLife is for how long an intent may be used, and ClockSkew how far clocks may be apart.
const (
	IntentLife = 10 * time.Minute
	ClockSkew  = 2 * time.Minute
)

// Statement is the text that an operator signs under this start, for a host with this simulation and approval.
func (a JobStartArgs) Statement(environment, host, operator string, simulation Simulation, approval *Signed, at time.Time) Intent {
	intent := Intent{
		Kind: "apply", Version: IntentVersion, Environment: environment, Host: host, Plan: a.Plan.Digest(), Figures: simulation.FiguresDigest(),
		Revision: simulation.Revision, Job: a.ID, Resolve: a.Resolve, BreakGlass: a.BreakGlass, Operator: operator, Time: at,
	}
	if approval != nil {
		intent.Approval = approval.Digest()
	}
	for _, receipt := range a.Receipts {
		intent.Receipts = append(intent.Receipts, receipt.Digest())
	}
	return intent
}

// Digest is sha256, hex, of the text that was signed, as `sha256sum` has it.
func (s Signed) Digest() string {
	sum := sha256.Sum256([]byte(s.Body))
	return hex.EncodeToString(sum[:])
}
