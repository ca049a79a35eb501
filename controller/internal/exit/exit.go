// Package exit is the one place where a failure of rpctl gets its exit code.
package exit

import (
	"context"
	"errors"

	"github.com/re-connect/rpctl/internal/exitcode"
	"github.com/re-connect/rpctl/proto"
)

// Code is an exit code. The table is of both programs; it is named here too, so that who fails needs one package.
type Code = exitcode.Code

// The codes; package exitcode says what each means.
const (
	OK          = exitcode.OK
	Failed      = exitcode.Failed
	BadInput    = exitcode.BadInput
	Partial     = exitcode.Partial
	Refused     = exitcode.Refused
	Unreachable = exitcode.Unreachable
	NoAgent     = exitcode.NoAgent
	LocalFailed = exitcode.LocalFailed
	HostFailed  = exitcode.HostFailed
	Interrupted = exitcode.Interrupted
)

// Error is a failure for the person who reads it.
type Error struct {
	Code    Code
	Host    string // alias, where one host is concerned
	Message string // lower case: what cannot be done, and why
	Next    string // what to type next, a command of rpctl's own making; may be empty
	// HostSuggests is what the host would have typed next, where that is no advice that rpctl knows. It is
	// shown as the host's, and is no part of Next.
	HostSuggests proto.HostText
	Err          error // the cause, for errors.Is; Message says all of it that a reader needs
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
		failure := Place{}.Refusal(refusal)
		failure.Message, failure.Err = err.Error(), err
		return failure
	case errors.Is(err, context.Canceled):
		return &Error{Code: Interrupted, Message: "interrupted", Err: err}
	default:
		return &Error{Code: Failed, Message: err.Error(), Err: err}
	}
}
