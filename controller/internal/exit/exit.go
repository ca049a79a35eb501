// Package exit is the one place where a failure gets its exit code. The table
// stands in docs/exit-codes.md too, and a test compares the two.
package exit

import (
	"context"
	"errors"

	"github.com/re-connect/rpctl/proto"
)

// Code is a process's exit status, documented for those who script rpctl.
type Code int

// The codes.
const (
	OK          Code = 0   // all that was asked is done, and proved where it can be
	Failed      Code = 1   // it ran, and the outcome is bad (a crash loop, an unhealthy host, nothing moved)
	BadInput    Code = 2   // the command line or hosts.toml; nothing was touched
	Partial     Code = 3   // some hosts are done, others are not or are unknown
	Refused     Code = 4   // a rule said no (lease held, gate closed, dirty tree, wrong environment, not confirmed)
	Unreachable Code = 5   // no SSH connection: name, network, host key, login
	NoAgent     Code = 6   // rp-agent is missing, or too old or too new
	LocalFailed Code = 7   // a local command (git, prepare, deploy) failed or is missing
	HostFailed  Code = 8   // the host cannot do its part (polkit, disk, agent.toml)
	Interrupted Code = 130 // Ctrl-C
)

// names are the codes as JSON errors and docs/exit-codes.md call them.
var names = map[Code]string{
	OK: "ok", Failed: "failed", BadInput: "bad_input", Partial: "partial", Refused: "refused",
	Unreachable: "unreachable", NoAgent: "no_agent", LocalFailed: "local_failed",
	HostFailed: "host_failed", Interrupted: "interrupted",
}

// String is the code's name in JSON and in the documentation.
func (c Code) String() string { return names[c] }

// Error is a failure for the person who reads it.
type Error struct {
	Code    Code
	Host    string // alias, where one host is concerned
	Message string // lower case: what cannot be done, and why
	Next    string // what to type next; may be empty
	Err     error  // the cause, for errors.Is; Message says all of it that a reader needs
}

func (e *Error) Error() string {
	if e.Host != "" {
		return e.Host + ": " + e.Message
	}
	return e.Message
}

func (e *Error) Unwrap() error { return e.Err }

// From is the failure that err is or holds: an Error as it is, an agent's
// refusal by its code, a cancelled context as Interrupted, all else as Failed.
func From(err error) *Error {
	var known *Error
	var refusal *proto.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return known
	case errors.As(err, &refusal):
		return &Error{Code: ofAgent(refusal.Code), Message: err.Error(), Next: refusal.Next, Err: err}
	case errors.Is(err, context.Canceled):
		return &Error{Code: Interrupted, Message: "interrupted", Err: err}
	default:
		return &Error{Code: Failed, Message: err.Error(), Err: err}
	}
}

// ofAgent is the exit code of an agent's refusal.
func ofAgent(code proto.Code) Code {
	switch code {
	case proto.CodeEnvironment, proto.CodeForbidden, proto.CodeLeaseHeld, proto.CodeLeaseRequired, proto.CodeGate:
		return Refused
	case proto.CodeJob:
		return BadInput
	case proto.CodeUnsupported, proto.CodeBadRequest:
		return NoAgent
	case proto.CodeNoUnits, proto.CodeRelease:
		return Failed
	case proto.CodeCancelled:
		return Interrupted
	default:
		return HostFailed
	}
}
