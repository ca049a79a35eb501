package workers

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/re-connect/rpctl/agent/internal/units"
	"github.com/re-connect/rpctl/proto"
)

const app = "/home/app/www"

// moment is what a unit is from some time after the beginning of its life.
type moment struct {
	at    time.Duration
	state units.State
}

// scripted is a unit of the fake manager: its life until it is restarted, and after that.
type scripted struct {
	now       []moment
	live      func() units.State // in the place of now
	restarted []moment
	job       string        // result; "done" unless said
	jobTakes  time.Duration // when the job ends
	err       error         // of Restart
	hidden    bool          // exists, but is not expected

	began    time.Time
	resets   int
	restarts int
}

// manager is a service manager that follows a script.
type manager struct {
	mu      sync.Mutex
	units   map[string]*scripted
	busy    int // restarts at the same time, now and at most
	busiest int
	listErr error
}

func newManager(all map[string]*scripted) *manager {
	for _, u := range all {
		u.began = time.Now()
	}
	return &manager{units: all}
}

func (m *manager) Expected(_ context.Context, pattern proto.UnitPattern) ([]string, error) {
	var names []string
	for name, u := range m.units {
		if pattern.Match(name) && !u.hidden {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, m.listErr
}

func (m *manager) State(ctx context.Context, unit string) (units.State, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u, ok := m.units[unit]
	if !ok {
		return units.State{Unit: unit, Load: "not-found", Active: "inactive", Sub: "dead"}, ctx.Err()
	}
	return u.state(unit), ctx.Err()
}

func (u *scripted) state(name string) units.State {
	state := units.State{Load: "not-found"}
	for _, m := range u.now {
		if time.Since(u.began) >= m.at {
			state = m.state
		}
	}
	if u.live != nil {
		state = u.live()
	}
	state.Unit = name
	if state.Load == "" {
		state.Load = "loaded"
	}
	return state
}

func (m *manager) Restart(ctx context.Context, name string, observe func(units.State)) (string, error) {
	u := m.begin(name)
	defer m.end()
	if u.err != nil {
		time.Sleep(u.jobTakes)
		return "", u.err
	}
	ends := time.After(u.jobTakes)
	for seen := (units.State{}); ; {
		if state, _ := m.State(context.Background(), name); changed(seen, state) || state.Active == "deactivating" {
			observe(state)
			seen = state
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-ends:
			return u.job, nil
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func changed(a, b units.State) bool { return a.Active != b.Active || a.Sub != b.Sub }

func (m *manager) begin(name string) *scripted {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.busy++
	m.busiest = max(m.busiest, m.busy)
	u := m.units[name]
	u.restarts++
	if u.restarted != nil && u.err == nil {
		u.now, u.began = u.restarted, time.Now()
	}
	if u.job == "" {
		u.job = "done"
	}
	return u
}

func (m *manager) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.busy--
}

func (m *manager) ResetFailed(_ context.Context, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.units[name].resets++
	return nil
}

func (m *manager) Close() error { return nil }

// releases is an application whose release was switched at a time.
type releases struct {
	switched time.Time
	err      error
}

func (r *releases) Current() (proto.Release, error) {
	return proto.Release{Name: "42", Path: app + "/releases/42", Switched: r.switched}, r.err
}

func (r *releases) Starts(paths []string) error {
	for _, p := range paths {
		if strings.HasPrefix(p, app+"/current") {
			return nil
		}
	}
	return errors.New("nothing of it goes through current")
}

// tail is a journal with as many lines as are asked for.
type tail struct{ err error }

func (j tail) Tail(_ context.Context, unit string, n int) ([]proto.LogLine, error) {
	lines := make([]proto.LogLine, n)
	for i := range lines {
		lines[i] = proto.LogLine{Unit: unit, Message: proto.HostText(strings.Repeat("é", 5000))}
	}
	return lines, j.err
}

// running is a worker in an invocation that began some time after now.
func running(invocation string, in time.Duration) units.State {
	return units.State{
		Active: "active", Sub: "running", Result: "success", Invocation: invocation, MainPID: 100,
		Started: time.Now().Add(in), TimeoutStop: 30 * time.Second,
		Paths: []string{app + "/current", "/usr/bin/php", "bin/console", "messenger:consume"},
	}
}

func with(s units.State, change func(*units.State)) units.State {
	change(&s)
	return s
}

func stopping(sub string) units.State {
	return units.State{Active: "deactivating", Sub: sub, Result: "success", Invocation: "old", MainPID: 99, TimeoutStop: 30 * time.Second}
}
