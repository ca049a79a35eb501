// Package supervisor keeps the contract of package units with plain child
// processes, in systemd's words: for the demo and for tests, where there is no
// systemd. It is in no shipped binary.
//
// It is a Type=simple service manager and no more: a unit is one process group,
// so a child that leaves its group is not seen.
package supervisor

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/re-connect/rpctl/agent/internal/units"
	"github.com/re-connect/rpctl/proto"
)

// observeEvery is how often a restart that is under way is shown, whether it moves or not.
const observeEvery = 500 * time.Millisecond

// closeGrace is how long Close waits for processes that were asked to end.
const closeGrace = 2 * time.Second

// Options is what a supervisor is made of. Log and Refuse may be nil.
type Options struct {
	Units []Definition
	// Log takes each line of a unit's stdout and stderr, without its newline and at most
	// MaxLine bytes (a longer one comes in pieces). The line is Log's to keep. It is called from
	// several goroutines, and it holds up the unit while it works.
	Log func(unit string, line []byte)
	// Refuse plays polkit: the verbs are restart and reset-failed.
	Refuse func(verb, unit string) bool
}

// Supervisor runs units as its own children.
type Supervisor struct {
	options Options

	mu    sync.Mutex
	units map[string]*unit // grows by instances of templates
	shut  bool
}

var _ units.Manager = (*Supervisor)(nil)

// New checks the definitions and starts nothing.
func New(options Options) (*Supervisor, error) {
	s := &Supervisor{options: options, units: map[string]*unit{}}
	for _, definition := range options.Units {
		if err := definition.check(); err != nil {
			return nil, fmt.Errorf("cannot define unit %s: %w", definition.Name, err)
		}
		if s.units[definition.Name] != nil {
			return nil, fmt.Errorf("cannot define unit %s: it is there twice", definition.Name)
		}
		s.units[definition.Name] = newUnit(definition, options.Log)
	}
	return s, nil
}

// Boot starts the enabled units that are not masked, as a host does when it comes up.
func (s *Supervisor) Boot() {
	for _, u := range s.all() {
		if u.definition.Enabled && !u.definition.Masked {
			u.restart()
		}
	}
}

// Stop ends a unit and waits until it is down; the unit's own automatic restart ends too.
func (s *Supervisor) Stop(ctx context.Context, name string) error {
	u, err := s.find(name)
	if err != nil {
		return fmt.Errorf("cannot stop %s: %w", name, err)
	}
	w := u.watch()
	defer u.unwatch(w)
	u.halt()
	for {
		if state := u.snapshot(); state.Active == "inactive" || state.Active == "failed" {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("cannot stop %s: %w", name, ctx.Err())
		case <-w.wake:
		}
	}
}

// Expected is the enabled units of a pattern and those that are not inactive.
func (s *Supervisor) Expected(_ context.Context, pattern proto.UnitPattern) ([]string, error) {
	if err := pattern.Check(); err != nil {
		return nil, err
	}
	var names []string
	for _, u := range s.all() {
		name := u.definition.Name
		if pattern.Match(name) && (u.definition.Enabled || u.snapshot().Active != "inactive") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// State reads a unit.
func (s *Supervisor) State(ctx context.Context, name string) (units.State, error) {
	if err := ctx.Err(); err != nil {
		return units.State{}, fmt.Errorf("cannot read %s: %w", name, err)
	}
	u, err := s.find(name)
	if err != nil {
		return units.State{Unit: name, Load: "not-found", Active: "inactive", Sub: "dead"}, nil
	}
	return u.snapshot(), nil
}

// Restart follows a restart to the end of its job.
func (s *Supervisor) Restart(ctx context.Context, name string, observe func(units.State)) (string, error) {
	u, err := s.allowed(ctx, "restart", name)
	if err == nil && u.definition.Masked {
		err = units.ErrMasked
	}
	if err != nil {
		return "", fmt.Errorf("cannot restart %s: %w", name, err)
	}
	w := u.watch()
	defer u.unwatch(w)
	job := u.restart()
	tick := time.NewTicker(observeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("cannot follow the restart of %s: %w", name, ctx.Err())
		case <-w.wake:
			show(w.take(), observe)
		case <-tick.C:
			observe(u.snapshot())
		case <-job.done:
			show(w.take(), observe)
			return job.result, nil
		}
	}
}

func show(states []units.State, observe func(units.State)) {
	for _, state := range states {
		observe(state)
	}
}

// ResetFailed forgets failures and the start limit of a unit.
func (s *Supervisor) ResetFailed(ctx context.Context, name string) error {
	u, err := s.allowed(ctx, "reset-failed", name)
	if err != nil {
		return fmt.Errorf("cannot reset %s: %w", name, err)
	}
	u.reset()
	return nil
}

// Close stops all units, by SIGKILL where SIGTERM is not obeyed at once, and waits for their ends.
func (s *Supervisor) Close() error {
	s.mu.Lock()
	s.shut = true
	s.mu.Unlock()
	var wait sync.WaitGroup
	for _, u := range s.all() {
		wait.Go(func() { u.close(closeGrace) })
	}
	wait.Wait()
	return nil
}

// allowed asks the policy first, as polkit is asked before systemd looks at the unit.
func (s *Supervisor) allowed(ctx context.Context, verb, name string) (*unit, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.options.Refuse != nil && s.options.Refuse(verb, name) {
		return nil, units.ErrRefused
	}
	return s.find(name)
}

// find is the unit of that name, made from its template if it has to be.
func (s *Supervisor) find(name string) (*unit, error) {
	if !proto.UnitPattern(name).Match(name) {
		return nil, units.ErrNotFound
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if u := s.units[name]; u != nil {
		return u, nil
	}
	template := s.units[proto.UnitPattern(name).Template()]
	if template == nil || s.shut {
		return nil, units.ErrNotFound
	}
	u := newUnit(template.definition.instance(name), s.options.Log)
	s.units[name] = u
	return u, nil
}

// all is the units that can run: not the templates.
func (s *Supervisor) all() []*unit {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Collect(maps.Values(s.units)), func(u *unit) bool {
		return strings.Contains(u.definition.Name, "@.")
	})
}
