package proto

import (
	"bytes"
	"encoding/json"
	"time"
)

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
// what cannot be done and why, Advice what to do next.
type Error struct {
	Code    Code     `json:"code"`
	Message HostText `json:"message"`
	Advice  Advice   `json:"advice,omitzero"`
	// Next is a command to type. A host derives it from Advice for controllers that do not know that; rpctl
	// replaces it with a command of its own and never uses a host's.
	Next string `json:"next,omitempty"`
	// HostSuggests is, in rpctl, the Next of a host whose Advice it cannot use. No host sends it.
	HostSuggests HostText `json:"host_suggests,omitempty"`
	Holder       *Holder  `json:"holder,omitempty"` // with CodeLeaseHeld
	Gate         int      `json:"gate,omitempty"`   // with CodeGate: the closed gate's number in docs/gates.md, where it is one of those
}

// Error is the message alone; a CLI prints what to do next on a line of its own.
func (e *Error) Error() string { return string(e.Message) }

// MarshalJSON adds Next, for controllers that do not know Advice.
func (e Error) MarshalJSON() ([]byte, error) {
	type wire Error
	if e.Next == "" {
		e.Next = e.Advice.Text()
	}
	return marshal(wire(e))
}

// Heard is called by rpctl when it has decoded the error: see HostSuggests.
func (e *Error) Heard() { heard(&e.Advice, &e.Next, &e.HostSuggests) }

// marshal is json.Marshal that leaves <, > and & as they are.
func marshal(v any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return bytes.TrimRight(out.Bytes(), "\n"), err
}

// Holder is who holds a host's lease.
type Holder struct {
	Operator HostText  `json:"operator"` // as told
	User     HostText  `json:"user"`     // login user, proved by the kernel
	UID      uint32    `json:"uid"`
	From     HostText  `json:"from,omitempty"` // as told
	Purpose  HostText  `json:"purpose"`
	Since    time.Time `json:"since"`
	// Job is the job that holds the host without a connection; empty for a lease.
	Job JobID `json:"job,omitempty"`
}
