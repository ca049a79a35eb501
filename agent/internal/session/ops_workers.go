package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/re-connect/rpctl/agent/internal/audit"
	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/proto"
)

const (
	maxUnits    = 256     // in one request (PROTOCOL.md, "Limits")
	maxSettleMS = 600_000 // ten minutes
)

func (s *session) units(ctx context.Context, request proto.Request) (any, error) {
	var args proto.UnitsArgs
	if err := s.workerArgs(request, &args, &args.Only); err != nil {
		return nil, err
	}
	patterns, err := s.host.Workers.Units(ctx, args.Only)
	return proto.UnitList{Patterns: patterns}, err
}

func (s *session) verify(ctx context.Context, request proto.Request) (any, error) {
	var args proto.VerifyArgs
	if err := s.workerArgs(request, &args, &args.Only); err != nil {
		return nil, err
	}
	if len(args.Expect) > maxUnits {
		return nil, fatal("it names more than %d units", maxUnits)
	}
	if args.SettleMS < 0 || args.SettleMS > maxSettleMS {
		return nil, badRequest("settle_ms %d is not between 0 and %d", args.SettleMS, maxSettleMS)
	}
	return s.host.Workers.Verify(ctx, args, s.progress(request.ID))
}

// restart is audited before it begins, so that it leaves a trace even if this process
// dies in it; a host that cannot write its audit restarts nothing.
func (s *session) restart(ctx context.Context, request proto.Request) (any, error) {
	var args proto.RestartArgs
	if err := s.workerArgs(request, &args, &args.Only); err != nil {
		return nil, err
	}
	if args.Batch < 0 {
		return nil, badRequest("batch %d is negative", args.Batch)
	}
	begun := s.entry(request, audit.ActionRestart)
	begun.Detail = describeRestart(args)
	if _, err := s.audit.Append(begun); err != nil {
		return nil, err
	}
	result, err := s.host.Workers.Restart(ctx, args, s.progress(request.ID))
	ended := s.entry(request, audit.ActionRestartEnd)
	ended.Result, ended.Detail = summarise(ctx, result, err)
	if _, auditErr := s.audit.Append(ended); auditErr != nil {
		s.log(auditErr)
		if err == nil {
			err = auditErr
		}
	}
	return result, err
}

// workerArgs decodes args and checks that `only`, a field of it, names nothing but the host's own
// patterns and single instances of them.
func (s *session) workerArgs(request proto.Request, args any, only *[]proto.UnitPattern) error {
	if err := decodeArgs(request, args); err != nil {
		return err
	}
	if len(*only) > maxUnits {
		return fatal("it names more than %d units", maxUnits)
	}
	for _, pattern := range *only {
		if !s.ours(pattern) {
			return &proto.Error{Code: proto.CodeNoUnits,
				Message: proto.Textf("cannot %s: %q is none of this host's patterns, which are %s", request.Op, printable.Excerpt(string(pattern), 100), join(s.host.Config.Workers)),
				Advice:  proto.Advice{Code: proto.AdviceStatus}}
		}
	}
	return nil
}

func (s *session) ours(pattern proto.UnitPattern) bool {
	own := s.host.Config.Workers
	return slices.Contains(own, pattern) || pattern.IsInstance() &&
		slices.ContainsFunc(own, func(p proto.UnitPattern) bool { return p.Match(string(pattern)) })
}

func (s *session) progress(id int64) func(proto.UnitProgress) {
	return func(unit proto.UnitProgress) { s.event(proto.Event{Event: proto.EventUnit, ID: id, Unit: &unit}) }
}

func describeRestart(args proto.RestartArgs) string {
	what := "all patterns"
	if len(args.Only) > 0 {
		what = join(args.Only)
	}
	if args.Batch > 0 {
		what += fmt.Sprintf(", %d at a time", args.Batch)
	}
	return what
}

// summarise is the audit's words for how a restart ended.
func summarise(ctx context.Context, result proto.RestartResult, err error) (word, detail string) {
	var failed, killed []string
	for _, unit := range result.Units {
		if unit.Failed != "" {
			failed = append(failed, unit.Unit)
		}
		if unit.Killed {
			killed = append(killed, unit.Unit)
		}
	}
	detail = fmt.Sprintf("%d units", len(result.Units))
	if len(failed) > 0 {
		detail += "; failed: " + strings.Join(failed, ", ")
	}
	if len(killed) > 0 {
		detail += "; killed after timeout: " + strings.Join(killed, ", ")
	}
	switch {
	case err != nil && errors.Is(context.Cause(ctx), errCancelled):
		return "cancelled", detail
	case err != nil:
		return "failed", err.Error()
	case len(failed) > 0:
		return "failed", detail
	default:
		return "restarted", detail
	}
}

func join(patterns []proto.UnitPattern) string {
	words := make([]string, len(patterns))
	for i, p := range patterns {
		words[i] = string(p)
	}
	return strings.Join(words, ", ")
}
