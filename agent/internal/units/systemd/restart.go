package systemd

import (
	"context"
	"fmt"
	"path"
	"strconv"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/re-connect/rpctl/agent/internal/units"
)

// pollEvery is how often a unit is read behind the signals; the contract promises a state a second.
const pollEvery = 500 * time.Millisecond

// missedPolls is how many polls in a row must miss the job before its end counts as seen:
// the signal of a job that has just ended is still on its way.
const missedPolls = 3

// Restart queues a restart job and follows it to its end. Watching comes first, or the
// beginning would be lost.
func (m *Manager) Restart(ctx context.Context, unit string, observe func(units.State)) (string, error) {
	result, err := m.restart(ctx, unit, observe)
	if err != nil {
		return "", fmt.Errorf("cannot restart %s: %w", unit, err)
	}
	return result, nil
}

func (m *Manager) restart(ctx context.Context, unit string, observe func(units.State)) (string, error) {
	before, err := m.read(ctx, unit)
	if err != nil {
		return "", err
	}
	w, err := m.bus.watch(ctx, before.path)
	if err != nil {
		return "", Explain(err)
	}
	defer m.bus.unwatch(w)
	var job dbus.ObjectPath
	if err := m.call(ctx, "RestartUnit", unit, "replace").Store(&job); err != nil {
		return "", Explain(err)
	}
	id, err := jobNumber(job)
	if err != nil {
		return "", err
	}
	f := &follower{manager: m, watch: w, job: id, state: before.state, observe: observe}
	return f.follow(ctx)
}

// jobNumber reads the N of /org/freedesktop/systemd1/job/N.
func jobNumber(job dbus.ObjectPath) (uint32, error) {
	id, err := strconv.ParseUint(path.Base(string(job)), 10, 32)
	if err != nil {
		return 0, fmt.Errorf("systemd answered with an odd job %.80q", string(job))
	}
	return uint32(id), nil
}

// follower watches one job of one unit.
type follower struct {
	manager *Manager
	watch   *watch
	job     uint32
	missed  int // polls in a row that did not find the job
	state   units.State
	observe func(units.State)
}

func (f *follower) follow(ctx context.Context) (string, error) {
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	for {
		var result string
		var err error
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-f.manager.bus.lost:
			return "", errLost
		case <-f.watch.wake:
			result, err = f.signals(ctx)
		case <-poll.C:
			result, err = f.poll(ctx)
		}
		if result != "" || err != nil {
			return result, err
		}
	}
}

// signals shows what came. systemd sends a service's own properties first and those of
// every unit after them, so a state is whole when the latter have come.
func (f *follower) signals(ctx context.Context) (string, error) {
	changes, jobs := f.watch.take()
	for _, c := range changes {
		apply(&f.state, c.props)
		if c.face == unitFace {
			f.observe(f.state)
		}
	}
	for _, j := range jobs {
		if j.job == f.job {
			_, err := f.refresh(ctx)
			return j.result, err
		}
	}
	return "", nil
}

// poll shows the unit as it is now. A signal that is still on its way may turn the shown
// state back; those behind it bring it forward again.
func (f *follower) poll(ctx context.Context) (string, error) {
	job, err := f.refresh(ctx)
	if err != nil {
		return "", err
	}
	if job == f.job {
		f.missed = 0
		return "", nil
	}
	if f.missed++; f.missed < missedPolls {
		return "", nil
	}
	return guess(f.state), nil
}

func (f *follower) refresh(ctx context.Context) (job uint32, err error) {
	now, err := f.manager.read(ctx, f.state.Unit)
	if err != nil {
		return 0, err
	}
	f.state = now.state
	f.observe(f.state)
	return now.job, nil
}

// guess is the result of a job whose end was missed, from the state that it left.
func guess(s units.State) string {
	if s.Active == "active" || s.Active == "activating" {
		return "done"
	}
	return "failed"
}
