package workers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/re-connect/rpctl/agent/internal/release"
	"github.com/re-connect/rpctl/agent/internal/units"
	"github.com/re-connect/rpctl/proto"
)

// Restart restarts the expected instances, args.Batch at the same time, and returns
// what each came to, in the order of the patterns. A unit that fails stops none of
// the others. Nothing is restarted when any pattern has no instance (CodeNoUnits).
//
// There is no timeout: a worker may take its whole TimeoutStopSec to finish its message.
// When ctx ends, what systemd was told goes on; the result is what is known, with an
// error of CodeCancelled. emit is called by one goroutine at a time.
func (s *Service) Restart(ctx context.Context, args proto.RestartArgs, emit func(proto.UnitProgress)) (proto.RestartResult, error) {
	if args.Batch < 0 {
		return proto.RestartResult{}, &proto.Error{Code: proto.CodeBadRequest, Message: "a batch cannot be less than 0"}
	}
	chosen, err := s.some(ctx, args.Only)
	if err != nil {
		return proto.RestartResult{}, err
	}
	out := &emitter{emit: emit}
	for _, u := range chosen {
		out.tell(proto.UnitProgress{Unit: u.name, Phase: proto.PhaseQueued})
	}
	s.passSwitch(ctx)
	result := proto.RestartResult{Units: make([]proto.Restarted, len(chosen))}
	failures := make([]error, len(chosen))
	each(len(chosen), args.Batch, func(i int) {
		result.Units[i], failures[i] = s.restartUnit(ctx, chosen[i], out)
	})
	if ctx.Err() != nil {
		return result, cancelled("the restart")
	}
	if err := refusal(failures); err != nil {
		return result, explain(ctx, "cannot restart the workers", err)
	}
	return result, nil
}

// refusal is why all of the units were refused, or nil when one was not.
func refusal(failures []error) error {
	why := units.ErrRefused
	for _, err := range failures {
		switch {
		case errors.Is(err, units.ErrNoRule):
			why = units.ErrNoRule
		case !errors.Is(err, units.ErrRefused):
			return nil
		}
	}
	return why
}

// passSwitch waits until a process that starts now is certainly later than the switch
// of the release: a second at most, and only right after a switch.
func (s *Service) passSwitch(ctx context.Context) {
	current, err := s.Release.Current()
	if err != nil {
		return // Verify will say so
	}
	left := time.Until(release.CertainFrom(current))
	if left <= 0 || left > time.Second {
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(left):
	}
}

// restartUnit restarts one unit; the error, already told in Restarted.Failed, is for its kind.
func (s *Service) restartUnit(ctx context.Context, u unit, out *emitter) (proto.Restarted, error) {
	done := proto.Restarted{Unit: u.name, Pattern: u.pattern}
	fail := func(err error) (proto.Restarted, error) {
		done.Failed = proto.HostText(err.Error())
		out.tell(proto.UnitProgress{Unit: u.name, Phase: proto.PhaseFailed, Detail: done.Failed})
		return done, err
	}
	if ctx.Err() != nil {
		return fail(errors.New("not restarted: cancelled before its turn"))
	}
	before, err := s.prepare(ctx, u.name)
	if err != nil {
		return fail(err)
	}
	track := &tracker{unit: u.name, before: before, out: out}
	job, err := s.Units.Restart(ctx, u.name, track.observe)
	done.Killed = track.killed
	if err != nil {
		return fail(untold(ctx, err))
	}
	after, err := s.Units.State(ctx, u.name)
	if err != nil {
		return fail(fmt.Errorf("restarted, but cannot be read: %w", err))
	}
	done.Invocation, done.PID, done.Started = after.Invocation, after.MainPID, after.Started
	if err := outcome(job, before, after); err != nil {
		return fail(err)
	}
	if restartsItself(after) || after.Active == "failed" {
		// It did start; Verify will call it a crash loop.
		out.tell(proto.UnitProgress{Unit: u.name, Phase: proto.PhaseFailed, Detail: proto.HostText(describe(after))})
		return done, nil
	}
	out.tell(proto.UnitProgress{Unit: u.name, Phase: proto.PhaseStarted})
	return done, nil
}

// prepare looks at the unit before, and makes systemd forget old failures and starts, also
// of a unit in good health: the last of several deploys in a row would meet the start limit and
// leave the worker down. NRestarts must count from this restart on.
func (s *Service) prepare(ctx context.Context, name string) (units.State, error) {
	before, err := s.Units.State(ctx, name)
	if err != nil {
		return before, fmt.Errorf("not restarted: cannot read its state: %w", err)
	}
	if before.Load != "" && before.Load != "loaded" {
		return before, fmt.Errorf("not restarted: %s", describe(before))
	}
	if err := s.Units.ResetFailed(ctx, name); err != nil {
		return before, fmt.Errorf("not restarted: cannot reset its failures: %w", err)
	}
	return before, nil
}

// untold says what is known of a unit whose job's end was not seen.
func untold(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return errors.New("the outcome is not known: cancelled while systemd restarts it, which goes on")
	case errors.Is(err, units.ErrNotFound):
		return errors.New("there is no such unit on this host")
	}
	return fmt.Errorf("cannot be restarted: %w", err)
}

// outcome says why the unit did not start again, judged by the job and by the state after it.
func outcome(job string, before, after units.State) error {
	switch {
	case after.Load != "" && after.Load != "loaded":
		return errors.New(describe(after))
	case job == "canceled":
		return errors.New("the restart was replaced by another job: somebody else starts or stops this unit")
	case job != "done":
		return fmt.Errorf("systemd could not restart it (%s): %s", job, describe(after))
	case after.Invocation != "" && after.Invocation == before.Invocation:
		return errors.New("systemd says done, but it is still the same invocation as before")
	case !after.Running() && after.Active != "failed" && !restartsItself(after):
		return errors.New(strings.TrimSpace("systemd says done, but " + describe(after)))
	}
	return nil
}
