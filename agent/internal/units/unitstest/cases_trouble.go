package unitstest

import (
	"errors"
	"testing"
	"time"

	"github.com/re-connect/rpctl/agent/internal/units"
)

func stubborn(t *testing.T, fixture Fixture) {
	s := NewStage(t)
	const unit = "rpctl-suite-stubborn@1.service"
	host := fixture(t, Unit{Name: unit, Argv: s.Program(Deaf), TimeoutStop: 300 * time.Millisecond})
	restart(t, host, unit)
	s.Hear("up")
	before := state(t, host, unit)
	seen := restart(t, host, unit) // "done": the job's result does not tell
	if !seen.saw("deactivating", "stop-sigterm") || !seen.saw("deactivating", "stop-sigkill") {
		t.Errorf("it was not seen that the unit was asked and then killed:%v", seen)
	}
	for _, s := range seen.seen {
		if s.Sub == "stop-sigkill" && (s.Result != "timeout" || s.Invocation != before.Invocation) {
			t.Errorf("while it is killed: %+v", s)
		}
	}
	checkRenewed(t, before, state(t, host, unit))
}

func slow(t *testing.T, fixture Fixture) {
	s := NewStage(t)
	const unit = "rpctl-suite-slow@1.service"
	host := fixture(t, Unit{Name: unit, Argv: s.Program(Lingering), TimeoutStop: patience})
	restart(t, host, unit)
	s.Hear("up")
	late := lateness(t)
	began := time.Now()
	seen := restart(t, host, unit)
	if took := time.Since(began); took < 1400*time.Millisecond {
		t.Errorf("the restart took %v: it did not wait for the old process", took)
	}
	if !seen.saw("deactivating", "stop-sigterm") || seen.saw("deactivating", "stop-sigkill") {
		t.Errorf("seen:%v", seen)
	}
	for i, at := range seen.times {
		if gap := at.Sub(began); gap > time.Second+4*late() {
			t.Errorf("nothing was seen for %v", gap)
		}
		began = at
		if s := seen.seen[i]; s.Active == "deactivating" && s.TimeoutStop != patience {
			t.Errorf("while it stops, TimeoutStop is %v", s.TimeoutStop)
		}
	}
}

func crash(t *testing.T, fixture Fixture) {
	s := NewStage(t)
	const unit = "rpctl-suite-crash@1.service"
	host := fixture(t, Unit{Name: unit, Argv: s.Program(Crashing)})
	restart(t, host, unit)
	got := await(t, host, unit, "failed", failed)
	if got.Sub != "failed" || got.Result != "exit-code" || got.ExitKind != "exited" || got.ExitCode != 3 || got.MainPID != 0 {
		t.Errorf("a crashed unit: %+v", got)
	}
}

func crashRestarted(t *testing.T, fixture Fixture) {
	s := NewStage(t)
	const unit = "rpctl-suite-again@1.service"
	host := fixture(t, Unit{Name: unit, Argv: s.Program(Crashing), Restart: true, RestartDelay: time.Hour})
	restart(t, host, unit)
	s.Hear("up")
	got := await(t, host, unit, "waiting for its restart", func(s units.State) bool { return s.Sub == "auto-restart" })
	if got.Active != "activating" || got.Result != "exit-code" || got.ExitCode != 3 || got.Running() {
		t.Errorf("a crashed unit: %+v", got)
	}
	restart(t, host, unit) // it need not wait out the delay
	s.Hear("up")
	if again := state(t, host, unit); again.Invocation == got.Invocation {
		t.Errorf("a restart from auto-restart left invocation %s", again.Invocation)
	}
}

func crashLoop(t *testing.T, fixture Fixture) {
	s := NewStage(t)
	const unit = "rpctl-suite-loop@1.service"
	host := fixture(t, Unit{Name: unit, Argv: s.Program(Crashing), Restart: true, RestartDelay: 10 * time.Millisecond,
		StartLimitBurst: 3, StartLimitInterval: time.Minute})
	restart(t, host, unit)
	got := await(t, host, unit, "failed", failed)
	// Releases of systemd differ in whether the attempt that met the limit is counted.
	if got.Result != "exit-code" && got.Result != "start-limit-hit" || got.Restarts < 2 || got.Restarts > 3 {
		t.Errorf("at the end of a crash loop: %+v", got)
	}
}

func startLimit(t *testing.T, fixture Fixture) {
	s := NewStage(t)
	const unit = "rpctl-suite-limit@1.service"
	host := fixture(t, Unit{Name: unit, Argv: s.Program(Worker), TimeoutStop: patience,
		StartLimitBurst: 2, StartLimitInterval: time.Minute})
	restart(t, host, unit)
	s.Hear("up")
	restart(t, host, unit)
	s.Hear("up")
	result, seen := tryRestart(t, host, unit)
	if result == "done" {
		t.Errorf("a restart past the limit is done; seen:%v", seen)
	}
	if got := state(t, host, unit); got.Active != "failed" || got.Result != "start-limit-hit" {
		t.Errorf("past the limit: %+v", got)
	}
	reset(t, host, unit)
	if got := state(t, host, unit); got.Active != "inactive" {
		t.Errorf("after the reset: %+v", got)
	}
	restart(t, host, unit)
	reset(t, host, unit) // has nothing to forget
}

func reset(t *testing.T, host Host, unit string) {
	t.Helper()
	if err := host.Manager.ResetFailed(t.Context(), unit); err != nil {
		t.Fatalf("reset of %s: %v", unit, err)
	}
}

func masked(t *testing.T, fixture Fixture) {
	const unit = "rpctl-suite-masked@1.service"
	host := fixture(t, Unit{Name: unit, Masked: true})
	if got := state(t, host, unit); got.Load != "masked" || got.Active != "inactive" {
		t.Errorf("a masked unit: %+v", got)
	}
	result, err := host.Manager.Restart(t.Context(), unit, func(units.State) {})
	if !errors.Is(err, units.ErrMasked) {
		t.Errorf("restart of a masked unit: %q, %v", result, err)
	}
}

func notFound(t *testing.T, fixture Fixture) {
	host := fixture(t)
	for _, unit := range []string{"rpctl-suite-nobody@1.service", "rpctl-suite-nobody.service", "rpctl-suite-nobody@.service", "no name", "../x.service", ""} {
		if got := state(t, host, unit); got.Load != "not-found" || got.Active != "inactive" {
			t.Errorf("%q: %+v", unit, got)
		}
		if _, err := host.Manager.Restart(t.Context(), unit, func(units.State) {}); !errors.Is(err, units.ErrNotFound) {
			t.Errorf("restart of %q: %v", unit, err)
		}
		if err := host.Manager.ResetFailed(t.Context(), unit); !errors.Is(err, units.ErrNotFound) {
			t.Errorf("reset of %q: %v", unit, err)
		}
	}
}

func refused(t *testing.T, fixture Fixture) {
	s := NewStage(t)
	host := fixture(t, Unit{Name: RefusedUnit, Argv: s.Program(Worker), Enabled: true})
	if _, err := host.Refused.Restart(t.Context(), RefusedUnit, func(units.State) {}); !errors.Is(err, units.ErrRefused) {
		t.Errorf("restart: %v", err)
	}
	if err := host.Refused.ResetFailed(t.Context(), RefusedUnit); !errors.Is(err, units.ErrRefused) {
		t.Errorf("reset: %v", err)
	}
	if got, err := host.Refused.State(t.Context(), RefusedUnit); err != nil || got.Active != "inactive" || got.Invocation != "" {
		t.Errorf("reading needs no right, and nothing was started: %+v, %v", got, err)
	}
	if got, err := host.Refused.Expected(t.Context(), RefusedUnit); err != nil || len(got) != 1 {
		t.Errorf("Expected = %q, %v", got, err)
	}
}
