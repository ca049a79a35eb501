package cli

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/re-connect/rpctl/agent/internal/ask"
	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/proto"
)

// The exit statuses. The numbers mean what rpctl's mean (docs/exit-codes.md).
const (
	exitOK          = 0
	exitFailed      = 1   // it ran, and the answer is bad: an unhealthy host, a failed check, a broken chain
	exitBadInput    = 2   // the command line
	exitRefused     = 4   // a rule said no: not in the group, not this key's to run, another environment
	exitNoAgent     = 6   // no agent answers here, or one that is too old or too new
	exitHostFailed  = 8   // the host cannot do its part: agent.toml, polkit, disk
	exitInterrupted = 130 // Ctrl-C
)

// failure is an error with its exit status and what to type next.
type failure struct {
	status  int
	message string
	next    string
}

func (f *failure) Error() string { return f.message }

func usage(message, next string) error {
	return &failure{status: exitBadInput, message: message, next: next}
}

// errBad is an answer that was shown already and that is bad: nothing more is to be said.
var errBad = &failure{status: exitFailed}

// tell writes an error for a person and returns the exit status.
func (s System) tell(err error) int {
	if err == nil {
		return exitOK
	}
	f := explain(err)
	if f.message != "" {
		fmt.Fprintf(s.Stderr, "rp-agent: %s\n", printable.Line(f.message))
	}
	if f.next != "" {
		fmt.Fprintf(s.Stderr, "  next: %s\n", printable.Line(f.next))
	}
	return f.status
}

func explain(err error) *failure {
	var known *failure
	var refused *proto.Error
	var unreachable *ask.UnreachableError
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, syscall.EPIPE): // nobody reads on, as with `| head`
		return &failure{status: exitOK}
	case errors.As(err, &refused):
		return &failure{status: statusOf(refused.Code), message: err.Error(), next: refused.Next}
	case errors.As(err, &unreachable):
		f := &failure{status: exitNoAgent, message: unreachable.Message, next: unreachable.Next}
		if unreachable.Denied {
			f.status = exitRefused
		}
		return f
	case errors.Is(err, context.Canceled):
		return &failure{status: exitInterrupted, message: "interrupted"}
	default:
		return &failure{status: exitHostFailed, message: err.Error(), next: "`rp-agent doctor`"}
	}
}

// statusOf is the exit status of a refusal of the agent.
func statusOf(code proto.Code) int {
	switch code {
	case proto.CodeEnvironment, proto.CodeForbidden, proto.CodeLeaseHeld, proto.CodeLeaseRequired:
		return exitRefused
	case proto.CodeUnsupported, proto.CodeBadRequest:
		return exitNoAgent
	case proto.CodeNoUnits, proto.CodeRelease:
		return exitFailed
	case proto.CodeCancelled:
		return exitInterrupted
	default:
		return exitHostFailed
	}
}
