package embedded

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/re-connect/rpctl/agent/embedded/supervisor"
	"github.com/re-connect/rpctl/agent/internal/units"
	"github.com/re-connect/rpctl/proto"
)

// hollow is a service manager without processes: units that are enabled say that they run.
type hollow struct {
	refuse func(verb, unit string) bool

	mu     sync.Mutex
	states map[string]units.State
	starts int
}

var _ units.Manager = (*hollow)(nil)

func newHollow(definitions []supervisor.Definition, refuse func(verb, unit string) bool) *hollow {
	h := &hollow{refuse: refuse, states: map[string]units.State{}}
	for _, d := range definitions {
		if d.Enabled {
			h.start(units.State{Unit: d.Name, Load: "loaded", TimeoutStop: d.TimeoutStop, Paths: append([]string{d.Dir}, d.Argv...)})
		}
	}
	return h
}

// start puts a new invocation of a unit into the table.
func (h *hollow) start(s units.State) units.State {
	h.starts++
	s.Active, s.Sub, s.Result = "active", "running", "success"
	s.Invocation = fmt.Sprintf("%032x", h.starts)
	s.Started = time.Now()
	s.Changed = s.Started
	h.states[s.Unit] = s
	return s
}

func (h *hollow) Expected(_ context.Context, pattern proto.UnitPattern) ([]string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var names []string
	for name := range h.states {
		if pattern.Match(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

func (h *hollow) State(_ context.Context, unit string) (units.State, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s, ok := h.states[unit]; ok {
		return s, nil
	}
	return units.State{Unit: unit, Load: "not-found", Active: "inactive", Sub: "dead"}, nil
}

func (h *hollow) Restart(_ context.Context, unit string, observe func(units.State)) (string, error) {
	if h.refuse != nil && h.refuse("restart", unit) {
		return "", fmt.Errorf("cannot restart %s: %w", unit, units.ErrRefused)
	}
	h.mu.Lock()
	s, ok := h.states[unit]
	if ok {
		s = h.start(s)
	}
	h.mu.Unlock()
	if !ok {
		return "", fmt.Errorf("cannot restart %s: %w", unit, units.ErrNotFound)
	}
	observe(s)
	return "done", nil
}

func (h *hollow) ResetFailed(context.Context, string) error { return nil }

func (h *hollow) Close() error { return nil }
