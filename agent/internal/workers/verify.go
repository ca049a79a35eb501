package workers

import (
	"context"
	"time"

	"github.com/re-connect/rpctl/agent/internal/units"
	"github.com/re-connect/rpctl/proto"
)

// MaxSettle bounds what a request may make the host wait.
const MaxSettle = 10 * time.Minute

// longest bounds how long an invocation is waited for that still starts after its settle time.
const longest = time.Minute

// rounds is how often a unit that somebody else restarts meanwhile is given its settle time again.
const rounds = 3

// Verify judges units: those that a restart left (args.Expect), or the expected
// instances as they are now. It waits until each has lived for the settle time and has
// started (see starting), and judges all of them by the release that `current` names after that.
// emit is called by one goroutine at a time.
func (s *Service) Verify(ctx context.Context, args proto.VerifyArgs, emit func(proto.UnitProgress)) (proto.VerifyResult, error) {
	settle, err := settleTime(args)
	if err != nil {
		return proto.VerifyResult{}, err
	}
	wanted, err := s.wanted(ctx, args)
	if err != nil {
		return proto.VerifyResult{}, err
	}
	if _, err := s.Release.Current(); err != nil { // now, not after the settle time
		return proto.VerifyResult{}, err
	}
	out := &emitter{emit: emit}
	found := make([]settled, len(wanted))
	each(len(wanted), 0, func(i int) { found[i] = s.settle(ctx, wanted[i], settle, out) })
	if ctx.Err() != nil {
		return proto.VerifyResult{}, cancelled("the verification")
	}
	current, err := s.Release.Current()
	if err != nil {
		return proto.VerifyResult{}, err
	}
	return s.judgeAll(ctx, current, found, out), nil
}

func settleTime(args proto.VerifyArgs) (time.Duration, error) {
	switch {
	case args.SettleMS == 0:
		return proto.DefaultSettle, nil
	case args.SettleMS < 0 || args.SettleMS > MaxSettle.Milliseconds():
		return 0, &proto.Error{Code: proto.CodeBadRequest,
			Message: proto.Textf("a settle time of %d ms: want 1 ms to %s", args.SettleMS, MaxSettle)}
	}
	return time.Duration(args.SettleMS) * time.Millisecond, nil
}

// wanted is what to look for: Expect, each of a unit that the host's patterns allow, or
// every expected instance, of which nothing is known yet.
func (s *Service) wanted(ctx context.Context, args proto.VerifyArgs) ([]proto.Restarted, error) {
	if len(args.Expect) > MaxUnits {
		return nil, &proto.Error{Code: proto.CodeBadRequest, Message: proto.Textf("more than %d units in one request", MaxUnits)}
	}
	if len(args.Expect) > 0 {
		return s.allowAll(args.Expect)
	}
	chosen, err := s.some(ctx, args.Only)
	if err != nil {
		return nil, err
	}
	wanted := make([]proto.Restarted, len(chosen))
	for i, u := range chosen {
		wanted[i] = proto.Restarted{Unit: u.name, Pattern: u.pattern}
	}
	return wanted, nil
}

func (s *Service) allowAll(expect []proto.Restarted) ([]proto.Restarted, error) {
	wanted := make([]proto.Restarted, len(expect))
	for i, one := range expect {
		if err := instance(one.Unit); err != nil {
			return nil, err
		}
		host, err := s.allow(one.Unit)
		if err != nil {
			return nil, err
		}
		wanted[i] = one
		wanted[i].Pattern = string(host)
	}
	return wanted, nil
}

// settled is a unit after its settle time: what was looked for and what was found.
type settled struct {
	want  proto.Restarted
	base  units.State // whose invocation and restarts must be found again
	found units.State
	note  string // what happened meanwhile
	err   error  // the service manager could not tell
}

// settle waits until the unit has settled, and reads it again. What does not run, and will
// not by waiting, is not waited for.
func (s *Service) settle(ctx context.Context, want proto.Restarted, wait time.Duration, out *emitter) settled {
	now, err := s.Units.State(ctx, want.Unit)
	result := settled{want: want, base: now, found: now, err: err}
	if want.Invocation != "" && want.Failed == "" {
		result.base.Invocation, result.base.Restarts = want.Invocation, 0
	}
	for round := range rounds {
		if result.err != nil || hopeless(result.found) {
			return result
		}
		s.rest(ctx, &result, wait, out)
		if ctx.Err() != nil || result.err != nil {
			return result
		}
		if !replaced(result.base, result.found) || round == rounds-1 {
			return result
		}
		result.base, result.note = result.found, "somebody else restarted it meanwhile"
	}
	return result
}

// hopeless says that waiting makes the unit no better.
func hopeless(s units.State) bool {
	return s.Load != "" && s.Load != "loaded" || s.Active == "failed" || s.Active == "inactive" || restartsItself(s)
}

// replaced says that the unit runs in another invocation which is no automatic restart
// of the one looked for: systemd counts those, and a restart by hand begins at 0.
func replaced(base, found units.State) bool {
	return found.Running() && found.Invocation != base.Invocation && found.Restarts == 0
}

// rest waits until the unit has lived for the settle time, and then, for longest at most, until its start is over
// as well. It leaves the unit's last state in r and reports progress each second.
func (s *Service) rest(ctx context.Context, r *settled, wait time.Duration, out *emitter) {
	began, lived := time.Now(), time.Duration(0)
	if r.found.Running() && !r.found.Started.IsZero() {
		lived = max(time.Since(r.found.Started), 0) // below 0 when the clock was set back
	}
	starts := lacksProcessor(r.found, wait)
	for {
		age, limit := lived+time.Since(began), wait
		if age >= wait && starts {
			limit = longest
		}
		if age >= limit {
			return
		}
		out.tell(proto.UnitProgress{Unit: r.want.Unit, Phase: proto.PhaseSettling,
			ElapsedMS: age.Milliseconds(), TimeoutMS: limit.Milliseconds()})
		before, looked := r.found, time.Now()
		select {
		case <-ctx.Done():
			return
		case <-time.After(min(limit-age, wait, time.Second)):
		}
		if r.found, r.err = s.Units.State(ctx, r.want.Unit); r.err != nil {
			return
		}
		starts = starting(before, r.found, time.Since(looked), wait)
	}
}

// starting reports whether an invocation still starts, as far as its use of the processor shows. On a slow or crowded
// host the settle time is over before the worker has come to the place where it crashes: since it was last looked at it
// used more of the processor than a worker that waits for messages, or it waited for one more often than not, and it
// had less of it in all than a start takes. In a crowd a worker that only looks for messages waits each time as well.
func starting(before, now units.State, passed, wait time.Duration) bool {
	used, queued := now.Worked-before.Worked, now.Waited-before.Waited
	wants := used > passed/20 || used+queued > passed/2
	return now.Running() && now.Invocation == before.Invocation && lacksProcessor(now, wait) && wants
}

// lacksProcessor reports whether an invocation had less of the processor than a start takes: a third of the settle
// time, 1 s unless the request has another. It is false where the manager does not report the processor time.
func lacksProcessor(s units.State, wait time.Duration) bool {
	return s.Worked > 0 && s.Worked < wait/3
}
