package store

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/re-connect/rpctl/proto"
)

// What is kept of jobs. Receipts are the plans', and are never pruned.
const (
	// KeepAlways is how many of the newest jobs are kept, however old.
	KeepAlways = 50
	keepMost   = 500                  // jobs, however new
	keepFor    = 180 * 24 * time.Hour // after the end
	// keepLeast is longer than an intent may be used: as long as a job's folder is there, its id cannot be taken again.
	keepLeast = 24 * time.Hour
)

// Prune removes jobs that ended long ago, and what a crash left of one that was being made or removed.
// The error is of the first that cannot be removed.
func (s Store) Prune(now time.Time) error {
	all, err := s.List()
	for i, record := range all {
		if prunable(i, record.Job, now) {
			err = cmp.Or(err, s.Remove(record.Job.ID))
		}
	}
	return cmp.Or(err, s.pruneHalf(now))
}

// pruneHalf removes folders that are no jobs, and were none a day ago.
func (s Store) pruneHalf(now time.Time) error {
	folders, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, entry := range folders {
		id := proto.JobID(entry.Name())
		if !entry.IsDir() || !id.Valid() {
			continue
		}
		if _, missing := s.Changed(id); !errors.Is(missing, fs.ErrNotExist) {
			continue
		}
		if info, failed := entry.Info(); failed == nil && now.Sub(info.ModTime()) > keepLeast {
			err = cmp.Or(err, s.Remove(id))
		}
	}
	return err
}

// prunable judges the i-th newest job.
func prunable(i int, job proto.Job, now time.Time) bool {
	age := now.Sub(job.Ended)
	return job.State.Ended() && i >= KeepAlways && age > keepLeast && (age > keepFor || i >= keepMost)
}
