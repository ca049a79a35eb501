package proto

import "time"

// OpRevoke hands a revocation to the host that will judge it.
const OpRevoke Op = "revoke"

// NamespaceRevocation is what a revocation is signed for. A key that may approve may revoke.
const NamespaceRevocation = "revoke@rpctl"

// Revocation withdraws approvals: on its host, no approval of the plan counts that is as old as the
// revocation or older, whenever that approval is handed in. A newer approval counts again.
type Revocation struct {
	Kind        string `json:"kind"` // "revocation"
	Environment string `json:"environment"`
	Plan        string `json:"plan"` // digest
	// By is the approver as they call themselves; the key says who signed.
	By     string    `json:"by"`
	Reason string    `json:"reason,omitempty"`
	Time   time.Time `json:"time"`
	Nonce  string    `json:"nonce"`
}

// RevokeArgs brings a revocation to the host that will judge it.
type RevokeArgs struct {
	Revocation Signed `json:"revocation"`
}

// The longest texts of what people sign, in bytes. A host refuses a longer one, and one that is not a
// single printable line.
const (
	MaxSignedName   = 200 // by and for of an approval, by of a revocation
	MaxSignedReason = 500 // a reason, and the link to an evidence
	MaxNonce        = 64
)
