package unitstest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/re-connect/rpctl/agent/internal/units"
)

func cancelled(t *testing.T, fixture Fixture) {
	s := NewStage(t)
	const unit = "rpctl-suite-cancelled@1.service"
	host := fixture(t, Unit{Name: unit, Argv: s.Program(Lingering), TimeoutStop: patience})
	restart(t, host, unit)
	s.Hear("up")
	before := state(t, host, unit)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	slow := lateness(t)
	var at time.Time
	result, err := host.Manager.Restart(ctx, unit, func(seen units.State) {
		if seen.Active == "deactivating" && at.IsZero() {
			at = time.Now()
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || result != "" {
		t.Errorf("Restart = %q, %v; want the context's end", result, err)
	}
	if late := time.Since(at); late > time.Second+4*slow() {
		t.Errorf("Restart returned %v after its context", late)
	}
	after := await(t, host, unit, "restarted all the same", func(s units.State) bool {
		return s.Running() && s.Invocation != before.Invocation
	})
	checkRenewed(t, before, after)
	if result, err := host.Manager.Restart(ctx, unit, func(units.State) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("Restart in a context that has ended = %q, %v", result, err)
	}
	if got := state(t, host, unit); got.Invocation != after.Invocation || !got.Running() {
		t.Errorf("a restart in a context that had ended touched the unit: %+v", got)
	}
}

func concurrent(t *testing.T, fixture Fixture) {
	s := NewStage(t)
	program := s.Program(Worker)
	var installed []Unit
	for i := range 8 {
		installed = append(installed, Unit{Name: fmt.Sprintf("rpctl-suite-many@%d.service", i), Argv: program, TimeoutStop: patience})
	}
	host := fixture(t, installed...)
	for range 2 {
		before := map[string]units.State{}
		var all sync.WaitGroup
		for _, u := range installed {
			before[u.Name] = state(t, host, u.Name)
			all.Go(func() {
				seen := &record{}
				result, err := host.Manager.Restart(t.Context(), u.Name, seen.observe)
				if err != nil || result != "done" {
					t.Errorf("restart of %s = %q, %v", u.Name, result, err)
				}
				for _, s := range seen.seen {
					if s.Unit != u.Name {
						t.Errorf("the restart of %s showed %s", u.Name, s.Unit)
					}
				}
			})
		}
		all.Wait()
		for _, u := range installed {
			checkRenewed(t, before[u.Name], state(t, host, u.Name))
		}
	}
}

// joined: restarts of one unit that meet. Which of them systemd merges depends on the
// moment, and one that is replaced is "canceled"; every one returns, and the unit runs anew.
func joined(t *testing.T, fixture Fixture) {
	s := NewStage(t)
	const unit = "rpctl-suite-joined@1.service"
	host := fixture(t, Unit{Name: unit, Argv: s.Program(Worker), TimeoutStop: patience})
	restart(t, host, unit)
	s.Hear("up")
	before := state(t, host, unit)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			result, err := host.Manager.Restart(t.Context(), unit, (&record{}).observe)
			if err != nil || result != "done" && result != "canceled" {
				t.Errorf("one of four restarts: %q, %v", result, err)
			}
		})
	}
	all.Wait()
	checkRenewed(t, before, state(t, host, unit))
}
