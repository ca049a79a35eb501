package workers

import (
	"context"

	"github.com/re-connect/rpctl/agent/internal/release"
	"github.com/re-connect/rpctl/agent/internal/units"
	"github.com/re-connect/rpctl/proto"
)

// readers is how many units are read at the same time.
const readers = 8

// Status is every expected instance as it is now, in the order of the patterns. A pattern
// without an instance has none here; a release that cannot be read makes Code unknown.
func (s *Service) Status(ctx context.Context) ([]proto.WorkerStatus, error) {
	list, err := s.List(ctx, nil)
	if err != nil {
		return nil, err
	}
	var found []unit
	seen := map[string]bool{}
	for _, p := range list.Patterns {
		for _, name := range p.Units {
			if !seen[name] {
				seen[name] = true
				found = append(found, unit{name, string(p.Pattern)})
			}
		}
	}
	states := make([]units.State, len(found))
	errs := make([]error, len(found))
	each(len(found), readers, func(i int) { states[i], errs[i] = s.Units.State(ctx, found[i].name) })
	if ctx.Err() != nil {
		return nil, cancelled("the status")
	}
	current, unreadable := s.Release.Current()
	excerpts := s.excerpts()
	workers := make([]proto.WorkerStatus, len(found))
	for i, u := range found {
		workers[i] = s.worker(u, states[i])
		if errs[i] != nil {
			workers[i].Code, workers[i].Why = proto.CodeUnknown, proto.HostText("its state cannot be read: "+errs[i].Error())
			continue
		}
		code, why := s.code(current, unreadable, states[i])
		workers[i].Code, workers[i].Why = code, proto.HostText(why)
		if troubled(states[i]) {
			workers[i].Journal, workers[i].Why = excerpts.of(ctx, u.name, workers[i].Why)
		}
	}
	return workers, nil
}

func (s *Service) worker(u unit, now units.State) proto.WorkerStatus {
	status := proto.WorkerStatus{
		Unit: u.name, Pattern: u.pattern,
		Active: now.Active, Sub: now.Sub, Since: now.Changed,
		PID: now.MainPID, Restarts: now.Restarts, Memory: now.Memory,
	}
	if now.Running() && !now.Started.IsZero() {
		status.Since = now.Started
	}
	return status
}

// code says which release the unit runs.
func (s *Service) code(current proto.Release, unreadable error, now units.State) (code, why string) {
	if !now.Running() {
		return proto.CodeUnknown, describe(now)
	}
	if unreadable != nil {
		return proto.CodeUnknown, "the release cannot be read"
	}
	if err := s.Release.Starts(now.Paths); err != nil {
		return proto.CodeUnknown, err.Error()
	}
	return release.Order(current, now.Started)
}

// troubled says that the unit's last lines are worth a look.
func troubled(s units.State) bool { return s.Active == "failed" || restartsItself(s) }
