package workers

import (
	"context"
	"fmt"

	"github.com/re-connect/rpctl/agent/internal/release"
	"github.com/re-connect/rpctl/agent/internal/units"
	"github.com/re-connect/rpctl/proto"
)

// judgeAll gives each unit its verdict and, where something is wrong, its last lines.
func (s *Service) judgeAll(ctx context.Context, current proto.Release, found []settled, out *emitter) proto.VerifyResult {
	result := proto.VerifyResult{Release: current, Units: make([]proto.UnitVerdict, len(found))}
	excerpts := s.excerpts()
	for i, f := range found {
		v := s.judge(current, f)
		v.Unit, v.Pattern = f.want.Unit, f.want.Pattern
		if f.note != "" {
			v.Why = join(v.Why, proto.HostText(f.note))
		}
		event := proto.UnitProgress{Unit: v.Unit, Phase: proto.PhaseSettled, Detail: proto.HostText(v.Verdict)}
		if !v.OK() {
			v.Journal, v.Why = excerpts.of(ctx, v.Unit, v.Why)
			event.Phase, event.Detail = proto.PhaseFailed, join(proto.HostText(v.Verdict), v.Why)
		}
		out.tell(event)
		result.Units[i] = v
	}
	return result
}

// judge is the verdict on one unit, killed or not.
func (s *Service) judge(current proto.Release, f settled) proto.UnitVerdict {
	v := s.judgeNow(current, f)
	if !f.want.Killed {
		return v
	}
	if v.OK() {
		after := "the new process runs the new code"
		if !v.NewCode {
			after = string("of the new process: " + v.Why)
		}
		return proto.UnitVerdict{Verdict: proto.VerdictKilled, NewCode: v.NewCode,
			Why: proto.HostText("the old process did not end within TimeoutStopSec; " + after)}
	}
	v.Why = join(v.Why, "its old process was "+proto.HostText(proto.VerdictKilled))
	return v
}

// judgeNow is the verdict on what the unit is after its settle time.
func (s *Service) judgeNow(current proto.Release, f settled) proto.UnitVerdict {
	now := f.found
	switch {
	case f.err != nil:
		return verdict(proto.VerdictFailed, "its state cannot be read: "+f.err.Error())
	case now.Load == "not-found":
		return verdict(proto.VerdictMissing, describe(now))
	case now.Load != "" && now.Load != "loaded":
		return verdict(proto.VerdictFailed, describe(now))
	case crashes(f):
		return verdict(proto.VerdictCrashLoop, crash(f))
	case now.Running() && now.Invocation != f.base.Invocation:
		return verdict(proto.VerdictCrashLoop, "it is never the same invocation for the settle time")
	case now.Running():
		return s.judgeCode(current, now)
	case f.want.Failed != "":
		return verdict(proto.VerdictFailed, string(f.want.Failed))
	case now.Active == "inactive":
		return verdict(proto.VerdictMissing, describe(now))
	}
	return verdict(proto.VerdictFailed, describe(now)+" after the settle time")
}

// judgeCode is the verdict on a unit that lives: proved by order.
func (s *Service) judgeCode(current proto.Release, now units.State) proto.UnitVerdict {
	if err := s.Release.Starts(now.Paths); err != nil {
		return verdict(proto.VerdictNotProvable, err.Error())
	}
	code, why := release.Order(current, now.Started)
	switch code {
	case proto.CodeCurrent:
		return proto.UnitVerdict{Verdict: proto.VerdictProved, NewCode: true}
	case proto.CodeOld:
		return verdict(proto.VerdictOldCode, why)
	}
	return verdict(proto.VerdictNotProvable, why)
}

// crashes says that the unit ended by itself since it was restarted or first looked at.
// A unit that failed without a restart of ours that failed has crashed too.
func crashes(f settled) bool {
	switch now := f.found; {
	case restartsItself(now) || now.Result == "start-limit-hit" || now.Restarts > f.base.Restarts:
		return true
	default:
		return now.Active == "failed" && f.want.Failed == ""
	}
}

func crash(f settled) string {
	why := describe(f.found)
	if f.found.Running() {
		why = "it runs again, but not for long"
	}
	if n := f.found.Restarts - min(f.base.Restarts, f.found.Restarts); n > 0 {
		why = join(why, fmt.Sprintf("automatic restarts since: %d", n))
	}
	return why
}

func verdict(v proto.Verdict, why string) proto.UnitVerdict {
	return proto.UnitVerdict{Verdict: v, Why: proto.HostText(why)}
}

func join[T ~string](a, b T) T {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}
