package jobs

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/re-connect/rpctl/agent/internal/jobs/store"
	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/proto"
)

// Limits of simulations. An apply needs an approval and is alone on its host, so it needs no limit; root has none but the disk.
const (
	// maxSimulations run at a time on one host: each is a PHP process with a connection to the database.
	maxSimulations = 4
	// maxOfLogin run at a time for one login, so that one login leaves room for the others.
	maxOfLogin = 2
	// maxInHour are started by one login within an hour: the plan and the record of each stay on the disk for a day or more.
	maxInHour = 60
)

// roomForSimulation refuses a simulation of the wanted plan past a limit, and prunes old plans. The caller holds Admit, so that two starts cannot take the same place.
func (s *Service) roomForSimulation(ctx context.Context, wanted string, caller Caller, now time.Time) error {
	all, err := s.Jobs.List()
	if err != nil {
		return err
	}
	used := open(all)
	used[wanted] = true
	_ = s.Plans.Prune(now, used) // what cannot be removed now is tried again by the next simulation
	var running, own []proto.Job
	recent := 0
	for _, record := range all {
		if record.Job.Kind != proto.KindSimulate {
			continue
		}
		if string(record.Job.User) == caller.User && now.Sub(record.Job.Created).Abs() < time.Hour {
			recent++
		}
		if record.Job.State.Ended() {
			continue
		}
		if record, err = s.settled(ctx, record.Job.ID); err != nil {
			return err
		}
		if record.Job.State.Ended() {
			continue
		}
		running = append(running, record.Job)
		if string(record.Job.User) == caller.User {
			own = append(own, record.Job)
		}
	}
	switch {
	case caller.UID == 0:
	case len(own) >= maxOfLogin:
		return s.tooMany(own, fmt.Sprintf("login %s runs %d already, and may run %d at a time", caller.User, len(own), maxOfLogin))
	case len(running) >= maxSimulations:
		return s.tooMany(running, fmt.Sprintf("this host runs %d already, and may run %d at a time", len(running), maxSimulations))
	case recent >= maxInHour:
		return &proto.Error{Code: proto.CodeLimit, Advice: proto.Advice{Code: proto.AdviceJobs},
			Message: proto.Textf("cannot simulate the plan: login %s has started %d simulations within an hour, and may start %d", caller.User, recent, maxInHour)}
	}
	return s.Folders.RoomForDryRun(s.Disk, len(running)+1, 0)
}

// open is the plans of the jobs that have not ended.
func open(all []store.Record) map[string]bool {
	plans := map[string]bool{}
	for _, record := range all {
		if !record.Job.State.Ended() {
			plans[record.Job.Plan] = true
		}
	}
	return plans
}

// tooMany names the jobs that must end first, the oldest first, and how to end it.
func (s *Service) tooMany(running []proto.Job, why string) error {
	var names []string
	for _, job := range slices.Backward(running) {
		names = append(names, fmt.Sprintf("%s of %s", job.ID, printable.Excerpt(string(job.Operator), 60)))
	}
	return &proto.Error{Code: proto.CodeLimit, Message: proto.Textf("cannot simulate the plan: %s: %s", why, strings.Join(names, ", ")),
		Advice: proto.Advice{Code: proto.AdviceCancel, Job: running[len(running)-1].ID}}
}
