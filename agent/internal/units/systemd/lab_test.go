//go:build linux

package systemd

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/re-connect/rpctl/agent/internal/units"
	"github.com/re-connect/rpctl/agent/internal/units/unitstest"
)

func TestConformance(t *testing.T) {
	needLabHost(t)
	unitstest.Run(t, fixture)
}

// TestRestartWithoutSignals: polling alone must get a restart to its end.
func TestRestartWithoutSignals(t *testing.T) {
	needLabHost(t)
	const unit = "rpctl-suite-silent@1.service"
	install(t, unitstest.Unit{Name: unit, Argv: []string{"/bin/sleep", "1000"}})
	systemctl(t, "daemon-reload")
	m := connect(t)
	m.bus.setOwner("") // every signal is now somebody else's
	var seen []units.State
	result, err := m.Restart(t.Context(), unit, func(s units.State) { seen = append(seen, s) })
	if err != nil || result != "done" || len(seen) < missedPolls || !seen[len(seen)-1].Running() {
		t.Errorf("Restart = %q, %v; seen %+v", result, err, seen)
	}
}

// TestRestartThroughReexec: systemd keeps jobs and comes back, under whatever name.
func TestRestartThroughReexec(t *testing.T) {
	needLabHost(t)
	const unit = "rpctl-suite-reexec@1.service"
	stage := unitstest.NewStage(t)
	install(t, unitstest.Unit{Name: unit, Argv: stage.Program(unitstest.Lingering), TimeoutStop: time.Minute})
	systemctl(t, "daemon-reload")
	m := connect(t)
	if result, err := m.Restart(t.Context(), unit, func(units.State) {}); err != nil || result != "done" {
		t.Fatalf("Restart = %q, %v", result, err)
	}
	stage.Hear("up")
	before, err := m.State(t.Context(), unit)
	if err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	result, err := m.Restart(t.Context(), unit, func(s units.State) {
		if s.Active == "deactivating" {
			once.Do(func() { systemctl(t, "daemon-reexec") })
		}
	})
	stage.Hear("term")
	stage.Hear("up")
	after, stateErr := m.State(t.Context(), unit)
	if err != nil || stateErr != nil || result != "done" || after.Invocation == before.Invocation || !after.Running() {
		t.Errorf("Restart = %q, %v; the unit is %+v, %v", result, err, after, stateErr)
	}
}

// TestCloseEndsRestart: a lost connection is an error at once, not a wait.
func TestCloseEndsRestart(t *testing.T) {
	needLabHost(t)
	const unit = "rpctl-suite-lost@1.service"
	stage := unitstest.NewStage(t)
	install(t, unitstest.Unit{Name: unit, Argv: stage.Program(unitstest.Deaf)})
	systemctl(t, "daemon-reload")
	m := connect(t)
	if _, err := m.Restart(t.Context(), unit, func(units.State) {}); err != nil {
		t.Fatal(err)
	}
	stage.Hear("up")
	result, err := m.Restart(t.Context(), unit, func(s units.State) {
		if s.Active == "deactivating" {
			_ = m.Close()
		}
	})
	if err == nil {
		t.Errorf("Restart = %q over a connection that is gone", result)
	}
	if _, err := m.State(t.Context(), unit); err == nil {
		t.Error("State over a connection that is gone")
	}
}

// TestNewGivesUp: a context that has ended makes no connection.
func TestNewGivesUp(t *testing.T) {
	needLabHost(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if m, err := New(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("New = %v, %v", m, err)
	}
}
