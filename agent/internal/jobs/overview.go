package jobs

import (
	"context"
	"slices"

	"github.com/re-connect/rpctl/proto"
)

// maxPlans is how many plans an overview names.
const maxPlans = 10

// Overview is the jobs that have not ended, and the newest plans that are not done.
func (s *Service) Overview(ctx context.Context) ([]proto.Job, []proto.PlanState, error) {
	all, err := s.Jobs.List()
	if err != nil {
		return nil, nil, err
	}
	var running []proto.Job
	for _, record := range all {
		if record.Job.State.Ended() {
			continue
		}
		if record, err = s.settled(ctx, record.Job.ID); err != nil {
			return nil, nil, err
		}
		if !record.Job.State.Ended() {
			running = append(running, brief(s.sized(record)))
		}
	}
	plans, err := s.Plans.Overview(s.now())
	for i := range plans {
		at := slices.IndexFunc(running, func(job proto.Job) bool { return job.Plan == plans[i].Plan && job.Kind == proto.KindApply })
		if at >= 0 {
			plans[i].Job = running[at].ID
		}
	}
	return running, plans[:min(maxPlans, len(plans))], err
}
