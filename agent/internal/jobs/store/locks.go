package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/re-connect/rpctl/proto"
)

// Admit keeps other starts out while one is decided. It waits a little for another.
func (s Store) Admit(ctx context.Context) (release func(), err error) {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, storage("make the folder of jobs", err)
	}
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	lock := flock.New(filepath.Join(s.dir, "admit.lock"))
	if _, err := lock.TryLockContext(ctx, 5*time.Millisecond); err != nil {
		return nil, storage("start a job", err)
	}
	return func() { _ = lock.Unlock() }, nil
}

// Own makes the caller the one runner of a job; nil when there is another. It waits a
// little for those who only look. The kernel takes it back from a runner that dies.
func (s Store) Own(id proto.JobID) (release func(), err error) {
	if !id.Valid() {
		return nil, ErrNotFound
	}
	return own(s.path(id, "runner.lock"))
}

// OwnApplication keeps every other mutating job out of the application; nil when there is one.
// It waits a little for a simulation that is being signed.
func (s Store) OwnApplication() (release func(), err error) {
	return own(filepath.Join(s.dir, "application.lock"))
}

// own takes a lock that the kernel drops with its holder; nil when another keeps it.
func own(path string) (release func(), err error) {
	ctx, cancel := context.WithTimeout(context.Background(), ownWait)
	defer cancel()
	lock := flock.New(path)
	_, err = lock.TryLockContext(ctx, 5*time.Millisecond)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return nil, nil
	case err != nil:
		return nil, storage("lock "+path, err)
	}
	return func() { _ = lock.Unlock() }, nil
}

// ownWait is longer than any look at a lock takes, and than the signing of a simulation.
const ownWait = time.Second

// Owned says whether a runner works on the job at this moment.
func (s Store) Owned(id proto.JobID) (bool, error) {
	if !id.Valid() {
		return false, ErrNotFound
	}
	lock := flock.New(s.path(id, "runner.lock"))
	free, err := lock.TryRLock()
	switch {
	case errors.Is(err, os.ErrNotExist):
		return false, ErrNotFound
	case err != nil:
		return false, storage("look at job "+string(id), err)
	case free:
		return false, lock.Unlock()
	}
	return true, nil
}
