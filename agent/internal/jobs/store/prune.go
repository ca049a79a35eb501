package store

import (
	"time"

	"github.com/re-connect/rpctl/proto"
)

// What is kept of jobs. Receipts are the plans', and are never pruned.
const (
	keepAlways = 50                   // newest jobs, however old
	keepMost   = 500                  // jobs, however new
	keepFor    = 180 * 24 * time.Hour // after the end
	// keepLeast is longer than an intent may be used: as long as a job's folder is there, its id cannot be taken again.
	keepLeast = 24 * time.Hour
)

// Prune removes jobs that ended long ago. The error is of the first that cannot be removed.
func (s Store) Prune(now time.Time) error {
	all, err := s.List()
	for i, record := range all {
		if prunable(i, record.Job, now) {
			if failed := s.Remove(record.Job.ID); failed != nil && err == nil {
				err = failed
			}
		}
	}
	return err
}

// prunable judges the i-th newest job.
func prunable(i int, job proto.Job, now time.Time) bool {
	age := now.Sub(job.Ended)
	return job.State.Ended() && i >= keepAlways && age > keepLeast && (age > keepFor || i >= keepMost)
}
