// Package status puts together what a host knows of itself, says what is wrong with
// it, and writes it for a person.
package status

import (
	"context"
	"time"

	"github.com/re-connect/rpctl/agent/internal/workers"
	"github.com/re-connect/rpctl/proto"
)

// Releases tells which release `current` names.
type Releases interface {
	Current() (proto.Release, error)
}

// Workers tells how each expected instance is.
type Workers interface {
	Status(ctx context.Context) ([]proto.WorkerStatus, error)
}

// Sources is where a status comes from.
type Sources struct {
	Host, Environment, Agent string

	Patterns []proto.UnitPattern // the host's own: each must have an instance
	Release  Releases
	Workers  Workers
	// Holder is who holds the lease, nil for nobody; LastDeploy is told the same
	// holder, since a deploy of a lease that is held still runs. Each may be nil: then not asked.
	Holder     func() (*proto.Holder, error)
	LastDeploy func(*proto.Holder) (*proto.DeployRecord, error)
}

// Collect asks all sources. What one of them cannot tell becomes a problem and hides
// nothing of the others; the error is for a ctx that ended.
func Collect(ctx context.Context, from Sources) (proto.Status, error) {
	status := proto.Status{
		Host: from.Host, Environment: from.Environment, Agent: from.Agent,
		Time: time.Now().UTC(), Workers: []proto.WorkerStatus{},
	}
	var found problems
	if release, err := from.Release.Current(); err != nil {
		status.ReleaseErr = proto.HostText(err.Error())
		found.add(worstRelease, err.Error())
	} else {
		status.Release = &release
	}
	if all, err := from.Workers.Status(ctx); err != nil {
		found.add(worstUnreadable, err.Error())
	} else {
		status.Workers = append(status.Workers, all...)
		found.workers(from.Patterns, all, status.Time)
	}
	if ctx.Err() != nil {
		return status, ctx.Err()
	}
	var err error
	if from.Holder != nil {
		if status.Lease, err = from.Holder(); err != nil {
			found.add(worstState, err.Error())
		}
	}
	if from.LastDeploy != nil {
		if status.LastDeploy, err = from.LastDeploy(status.Lease); err != nil {
			found.add(worstState, err.Error())
		}
	}
	status.Problems = found.words()
	return status, nil
}

// Served is the workers of a host with the status as a session hands it out: release,
// workers and problems. The session adds the host's name, the lease and the last deploy.
type Served struct{ *workers.Service }

// Units is List without its wrapping.
func (s Served) Units(ctx context.Context, only []proto.UnitPattern) ([]proto.PatternUnits, error) {
	list, err := s.List(ctx, only)
	return list.Patterns, err
}

// Status is Collect over the service.
func (s Served) Status(ctx context.Context) (proto.Status, error) {
	return Collect(ctx, Sources{Patterns: s.Patterns, Release: s.Release, Workers: s.Service})
}
