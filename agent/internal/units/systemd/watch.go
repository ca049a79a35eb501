package systemd

import (
	"context"
	"sync"

	"github.com/godbus/dbus/v5"
)

// How much a watch keeps for a reader that is busy. A restart makes about ten changes.
const (
	keptChanges = 64
	keptJobs    = 16
)

// change is one PropertiesChanged signal.
type change struct {
	face  string
	props properties
}

// ended is one JobRemoved signal.
type ended struct {
	job    uint32
	result string
}

// watch gathers the signals of one unit until they are taken.
type watch struct {
	path dbus.ObjectPath
	wake chan struct{} // holds one token when there is something to take

	mu      sync.Mutex
	changes []change
	jobs    []ended
}

// watch starts to gather the signals of the unit at path; unwatch must follow.
func (b *bus) watch(ctx context.Context, path dbus.ObjectPath) (*watch, error) {
	if err := b.conn.AddMatchSignalContext(ctx, changesOf(path)...); err != nil {
		return nil, err
	}
	w := &watch{path: path, wake: make(chan struct{}, 1)}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.watches[path] == nil {
		b.watches[path] = map[*watch]struct{}{}
	}
	b.watches[path][w] = struct{}{}
	return w, nil
}

// unwatch does not wait for the bus: its caller's context may have ended. The bus counts
// equal rules, so another watch of the same unit keeps its own.
func (b *bus) unwatch(w *watch) {
	b.mu.Lock()
	delete(b.watches[w.path], w)
	if len(b.watches[w.path]) == 0 {
		delete(b.watches, w.path)
	}
	b.mu.Unlock()
	go func() { _ = b.conn.RemoveMatchSignal(changesOf(w.path)...) }()
}

func changesOf(path dbus.ObjectPath) []dbus.MatchOption {
	return []dbus.MatchOption{
		dbus.WithMatchSender(destination), dbus.WithMatchObjectPath(path),
		dbus.WithMatchInterface(propertyFace), dbus.WithMatchMember(changedMember),
	}
}

func (w *watch) changed(c change) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.changes = lastOf(append(w.changes, c), keptChanges)
	w.nudge()
}

func (w *watch) jobRemoved(job uint32, result string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.jobs = lastOf(append(w.jobs, ended{job, result}), keptJobs)
	w.nudge()
}

func (w *watch) nudge() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// take empties the watch. systemd sends a unit's changes before the end of the job that made them.
func (w *watch) take() ([]change, []ended) {
	w.mu.Lock()
	defer w.mu.Unlock()
	changes, jobs := w.changes, w.jobs
	w.changes, w.jobs = nil, nil
	return changes, jobs
}

func lastOf[T any](list []T, most int) []T { return list[max(0, len(list)-most):] }
