package unitstest

import (
	"slices"
	"testing"
	"time"

	"github.com/re-connect/rpctl/agent/internal/units"
	"github.com/re-connect/rpctl/proto"
)

func expected(t *testing.T, fixture Fixture) {
	s := NewStage(t)
	const family = "rpctl-suite-expected@"
	host := fixture(t,
		Unit{Name: family + ".service", Argv: s.Program(Worker)},
		Unit{Name: family + "enabled.service", Argv: s.Program(Worker), Enabled: true},
		Unit{Name: family + "running.service", Argv: s.Program(Worker)},
		Unit{Name: family + "both.service", Argv: s.Program(Worker), Enabled: true},
		Unit{Name: family + "crashed.service", Argv: s.Program(Crashing)},
		Unit{Name: family + "idle.service", Argv: s.Program(Worker)},
		Unit{Name: "rpctl-suite-expected.service", Argv: s.Program(Worker), Enabled: true},
	)
	restart(t, host, family+"running.service")
	restart(t, host, family+"both.service")
	restart(t, host, family+"crashed.service")
	await(t, host, family+"crashed.service", "failed", failed)
	tests := []struct {
		pattern proto.UnitPattern
		want    []string
	}{
		{family + "*.service", []string{family + "both.service", family + "crashed.service", family + "enabled.service", family + "running.service"}},
		{family + "enabled.service", []string{family + "enabled.service"}},
		{family + "idle.service", nil},
		{"rpctl-suite-expected.service", []string{"rpctl-suite-expected.service"}},
		{"rpctl-suite-nobody@*.service", nil},
	}
	for _, test := range tests {
		got, err := host.Manager.Expected(t.Context(), test.pattern)
		if err != nil || !slices.Equal(got, test.want) {
			t.Errorf("Expected(%s) = %q, %v; want %q", test.pattern, got, err, test.want)
		}
	}
	if got, err := host.Manager.Expected(t.Context(), "*.service"); err == nil {
		t.Errorf("a pattern that is none was answered by %q", got)
	}
}

func stateAtRest(t *testing.T, fixture Fixture) {
	s := NewStage(t)
	const bounded, endless = "rpctl-suite-rest@1.service", "rpctl-suite-rest@2.service"
	program := s.Program(Worker)
	host := fixture(t,
		Unit{Name: bounded, Argv: program, TimeoutStop: 1500 * time.Millisecond},
		Unit{Name: endless, Argv: program})
	got := state(t, host, bounded)
	if got.Load != "loaded" || got.Active != "inactive" || got.Sub != "dead" || got.Running() || got.Invocation != "" ||
		got.MainPID != 0 || got.ExitKind != "" || !got.Started.IsZero() {
		t.Errorf("a unit that never ran: %+v", got)
	}
	if got.TimeoutStop != 1500*time.Millisecond {
		t.Errorf("TimeoutStop = %v, want 1.5s", got.TimeoutStop)
	}
	if !slices.Contains(got.Paths, program[0]) || !slices.Contains(got.Paths, program[1]) {
		t.Errorf("Paths = %q, want the words of %q among them", got.Paths, program)
	}
	if got := state(t, host, endless); got.TimeoutStop != 0 {
		t.Errorf("TimeoutStop = %v, want 0 for a unit that may take for ever", got.TimeoutStop)
	}
}

func restartRunning(t *testing.T, fixture Fixture) {
	s := NewStage(t)
	const unit = "rpctl-suite-running@1.service"
	host := fixture(t, Unit{Name: unit, Argv: s.Program(Worker), TimeoutStop: patience})
	restart(t, host, unit)
	s.Hear("up")
	before := state(t, host, unit)
	seen := restart(t, host, unit)
	s.Hear("up")
	after := state(t, host, unit)
	checkRenewed(t, before, after)
	last := seen.seen[len(seen.seen)-1]
	if last.Invocation != after.Invocation || last.MainPID != after.MainPID || !last.Running() {
		t.Errorf("the last state seen is %+v, the unit is %+v", last, after)
	}
	if seen.saw("deactivating", "stop-sigkill") {
		t.Errorf("a unit that obeys was killed:%v", seen)
	}
}

// checkRenewed says whether after is a unit at work in an invocation that before was not.
func checkRenewed(t *testing.T, before, after units.State) {
	t.Helper()
	if !after.Running() || after.Result != "success" || after.Restarts != 0 || after.ExitKind != "" {
		t.Errorf("the unit does not run well: %+v", after)
	}
	if after.Invocation == "" || after.Invocation == before.Invocation {
		t.Errorf("invocation %q after %q: not a new one", after.Invocation, before.Invocation)
	}
	if after.MainPID == 0 || after.MainPID == before.MainPID {
		t.Errorf("pid %d after %d: not a new one", after.MainPID, before.MainPID)
	}
	if !after.Started.After(before.Started) || time.Since(after.Started) > patience || after.Changed.IsZero() {
		t.Errorf("started %v, changed %v, after %v", after.Started, after.Changed, before.Started)
	}
}

func restartStopped(t *testing.T, fixture Fixture) {
	s := NewStage(t)
	const unit = "rpctl-suite-stopped@1.service"
	host := fixture(t, Unit{Name: unit, Argv: s.Program(Worker), TimeoutStop: patience, Enabled: true})
	restart(t, host, unit)
	s.Hear("up")
	before := state(t, host, unit)
	host.Stop(t, unit)
	if got := state(t, host, unit); got.Active != "inactive" || got.MainPID != 0 {
		t.Fatalf("after a stop: %+v", got)
	}
	restart(t, host, unit)
	checkRenewed(t, before, state(t, host, unit))
}

func restartEnabled(t *testing.T, fixture Fixture) {
	s := NewStage(t)
	const unit = "rpctl-suite-enabled@1.service"
	host := fixture(t, Unit{Name: unit, Argv: s.Program(Worker), Enabled: true})
	before := state(t, host, unit)
	restart(t, host, unit)
	s.Hear("up")
	checkRenewed(t, before, state(t, host, unit))
}

func restartTemplate(t *testing.T, fixture Fixture) {
	s := NewStage(t)
	const unit = "rpctl-suite-template@seven.service"
	argv := append(s.Program(`say "up $1"; exec sleep 1000`), "%i")
	host := fixture(t, Unit{Name: "rpctl-suite-template@.service", Argv: argv})
	restart(t, host, unit)
	s.Hear("up seven")
	if got := state(t, host, unit); !slices.Contains(got.Paths, "seven") {
		t.Errorf("Paths = %q, want the instance's name in place of %%i", got.Paths)
	}
	if got := state(t, host, "rpctl-suite-template@.service"); got.Load != "not-found" {
		t.Errorf("a template is no unit, but it is %s", got.Load)
	}
}

func failed(s units.State) bool { return s.Active == "failed" }
