// Package jobs is the work on plans that outlives its viewers: it admits a job,
// tells where it is, follows its output, and asks it to stop. The job itself is
// done by package runner in a process of its own; both meet on the disk (store).
package jobs

import (
	"context"
	"time"

	"github.com/re-connect/rpctl/agent/internal/jobs/console"
	"github.com/re-connect/rpctl/agent/internal/jobs/runner"
	"github.com/re-connect/rpctl/agent/internal/jobs/store"
	"github.com/re-connect/rpctl/agent/internal/plans"
	"github.com/re-connect/rpctl/proto"
)

// Engine starts and stops what works on jobs: systemd on a real host, processes in an embedded one.
type Engine interface {
	runner.Consoles

	// StartRunner starts the runner of a job; one that is there already is no error.
	StartRunner(ctx context.Context, id proto.JobID) error
	// RunnerAlive says whether the runner works, waits to start, or is about to be started again.
	RunnerAlive(ctx context.Context, id proto.JobID) (bool, error)
}

// Service is the jobs of one host, for the sessions that ask about them.
type Service struct {
	Name    string // the host's
	Config  proto.HostConfig
	State   string // the agent's folder, where the lease is too
	Jobs    store.Store
	Plans   plans.Folder
	Folders console.Folders
	Engine  Engine
	// Releases says which release `current` names.
	Releases runner.Releases
	Audit    runner.Audit
	Disk     console.Disk
	Now      func() time.Time // nil: the clock
}

// Caller is who asks: the user is proved, the rest is as told.
type Caller struct {
	Operator, User, From string
	UID                  uint32
}

func (s *Service) now() time.Time {
	if s.Now != nil {
		return s.Now().UTC()
	}
	return time.Now().UTC()
}

// noSuch is the answer for an id that is no job's.
func (s *Service) noSuch(id proto.JobID) *proto.Error {
	return &proto.Error{Code: proto.CodeJob, Message: proto.HostText("there is no job " + string(id) + " on this host"), Advice: proto.Advice{Code: proto.AdviceJobs}}
}
