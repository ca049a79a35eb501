package units

import (
	"context"
	"sync"

	"github.com/re-connect/rpctl/proto"
)

// lazy is a Manager that is opened when it is first asked something.
type lazy struct {
	open func(context.Context) (Manager, error)

	mu      sync.Mutex
	manager Manager
}

// Lazy is a Manager over the one that open gives, which is opened when it is first needed: greeting
// a caller needs none. An open that fails is tried again by the next call; ctx bounds it.
func Lazy(open func(context.Context) (Manager, error)) Manager { return &lazy{open: open} }

func (l *lazy) get(ctx context.Context) (Manager, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.manager == nil {
		manager, err := l.open(ctx)
		if err != nil {
			return nil, err
		}
		l.manager = manager
	}
	return l.manager, nil
}

// Expected is the manager's.
func (l *lazy) Expected(ctx context.Context, pattern proto.UnitPattern) ([]string, error) {
	manager, err := l.get(ctx)
	if err != nil {
		return nil, err
	}
	return manager.Expected(ctx, pattern)
}

// State is the manager's.
func (l *lazy) State(ctx context.Context, unit string) (State, error) {
	manager, err := l.get(ctx)
	if err != nil {
		return State{}, err
	}
	return manager.State(ctx, unit)
}

// Restart is the manager's.
func (l *lazy) Restart(ctx context.Context, unit string, observe func(State)) (string, error) {
	manager, err := l.get(ctx)
	if err != nil {
		return "", err
	}
	return manager.Restart(ctx, unit, observe)
}

// ResetFailed is the manager's.
func (l *lazy) ResetFailed(ctx context.Context, unit string) error {
	manager, err := l.get(ctx)
	if err != nil {
		return err
	}
	return manager.ResetFailed(ctx, unit)
}

// Close closes the manager, if it was opened; the next call opens another.
func (l *lazy) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.manager == nil {
		return nil
	}
	manager := l.manager
	l.manager = nil
	return manager.Close()
}
