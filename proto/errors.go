package proto

import "time"

// Code says what kind of refusal or failure an Error is; PROTOCOL.md has the table.
type Code string

// The codes.
const (
	CodeBadRequest    Code = "bad_request"
	CodeUnsupported   Code = "unsupported"
	CodeEnvironment   Code = "environment"
	CodeForbidden     Code = "forbidden"
	CodeConfig        Code = "config"
	CodeLeaseHeld     Code = "lease_held"
	CodeLeaseRequired Code = "lease_required"
	CodeNoUnits       Code = "no_units"
	CodePolkit        Code = "polkit"
	CodeRelease       Code = "release"
	CodeStorage       Code = "storage"
	CodeCancelled     Code = "cancelled"
	CodeGate          Code = "gate"
	CodeJob           Code = "job"
	CodeLimit         Code = "limit"
	CodeHost          Code = "host"
)

// Error is a refusal or a failure, for the person who reads it: Message says
// what cannot be done and why, Next what to type next.
type Error struct {
	Code    Code    `json:"code"`
	Message string  `json:"message"`
	Next    string  `json:"next,omitempty"`
	Holder  *Holder `json:"holder,omitempty"` // with CodeLeaseHeld
	Gate    int     `json:"gate,omitempty"`   // with CodeGate: the closed gate's number in docs/gates.md, where it is one of those
}

// Error is the message alone; a CLI prints Next on a line of its own.
func (e *Error) Error() string { return e.Message }

// Holder is who holds a host's lease.
type Holder struct {
	Operator string    `json:"operator"` // as told
	User     string    `json:"user"`     // login user, proved by the kernel
	UID      uint32    `json:"uid"`
	From     string    `json:"from,omitempty"` // as told
	Purpose  string    `json:"purpose"`
	Since    time.Time `json:"since"`
	// Job is the job that holds the host without a connection; empty for a lease.
	Job JobID `json:"job,omitempty"`
}
