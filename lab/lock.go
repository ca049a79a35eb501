package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// lock holds a slot for this process; it dies with it.
type lock struct{ f *flock.Flock }

// takeLock takes the slot's lock; with Wait it waits for it until ctx ends. Whoever
// changes a lab comes through here, so the machine is looked at first.
func takeLock(ctx context.Context, o Options) (*lock, error) {
	if err := Possible(); err != nil {
		return nil, err
	}
	if err := o.makeFolder(); err != nil {
		return nil, err
	}
	f := flock.New(o.runDir() + ".lock")
	ok, err := f.TryLock()
	if err == nil && !ok && o.Wait {
		ok, err = f.TryLockContext(ctx, pollEvery)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot lock the lab: %w", err)
	}
	if !ok {
		return nil, fmt.Errorf("%w: another process is working on it (%s)", ErrUp, f.Path())
	}
	return &lock{f}, nil
}

func (l *lock) release() error {
	if l.f == nil {
		return nil
	}
	return l.f.Unlock()
}

// state is what `make lab` leaves for `status` and `lab-down`.
type state struct {
	Suite    Suite
	Database Database
	Roles    []Role
	Port     string
	Since    time.Time
}

const stateFile = "lab.json"

func (l *Lab) writeState(roles []Role) error {
	data, err := json.Marshal(state{l.Suite, l.Database, roles, l.port, time.Now()})
	if err != nil {
		return err
	}
	return os.WriteFile(l.path(stateFile), data, 0o644)
}

func readState(dir string) (state, error) {
	var s state
	data, err := os.ReadFile(filepath.Join(dir, stateFile))
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(data, &s)
}

// running are the state's hosts that have a machine now.
func (s state) running(dir string) []Role {
	var up []Role
	for _, r := range s.Roles {
		if _, err := findMachine(filepath.Join(dir, "hosts", string(r))); err == nil {
			up = append(up, r)
		}
	}
	return up
}
