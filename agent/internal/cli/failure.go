package cli

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/re-connect/rpctl/agent/internal/ask"
	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/proto"

	"github.com/re-connect/rpctl/internal/exitcode"
)

// failure is an error with its exit status and what to type next.
type failure struct {
	status  exitcode.Code // the numbers mean what rpctl's mean
	message string
	next    string
}

func (f *failure) Error() string { return f.message }

func usage(message, next string) error {
	return &failure{status: exitcode.BadInput, message: message, next: next}
}

// doctorVerb is what to type next where nothing better is known.
var doctorVerb = proto.Advice{Code: proto.AdviceHostDoctor}.Text()

// textOf is what a refusal advises, as a command.
func textOf(refused *proto.Error) string {
	if refused.Advice != (proto.Advice{}) {
		return refused.Advice.Text()
	}
	return refused.Next // of a state file that an older agent wrote
}

// errBad is an answer that was shown already and that is bad: nothing more is to be said.
var errBad = &failure{status: exitcode.Failed}

// tell writes an error for a person and returns the exit status.
func (s System) tell(err error) int {
	if err == nil {
		return int(exitcode.OK)
	}
	f := explain(err)
	if f.message != "" {
		fmt.Fprintf(s.Stderr, "rp-agent: %s\n", printable.Line(f.message))
	}
	if f.next != "" {
		fmt.Fprintf(s.Stderr, "  next: %s\n", printable.Line(f.next))
	}
	return int(f.status)
}

func explain(err error) *failure {
	var known *failure
	var refused *proto.Error
	var unreachable *ask.UnreachableError
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, syscall.EPIPE): // nobody reads on, as with `| head`
		return &failure{status: exitcode.OK}
	case errors.As(err, &refused):
		return &failure{status: exitcode.Of(refused.Code), message: err.Error(), next: textOf(refused)}
	case errors.As(err, &unreachable):
		f := &failure{status: exitcode.NoAgent, message: unreachable.Message, next: unreachable.Advice.Text()}
		if unreachable.Denied {
			f.status = exitcode.Refused
		}
		return f
	case errors.Is(err, context.Canceled):
		return &failure{status: exitcode.Interrupted, message: "interrupted"}
	default:
		return &failure{status: exitcode.HostFailed, message: err.Error(), next: doctorVerb}
	}
}
