package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/re-connect/rpctl/agent/internal/audit"
	"github.com/re-connect/rpctl/agent/internal/jobs/store"
	"github.com/re-connect/rpctl/agent/internal/plans"
	"github.com/re-connect/rpctl/proto"
)

// settled is where a job is, after one that nobody works on any more was marked as interrupted.
func (s *Service) settled(ctx context.Context, id proto.JobID) (store.Record, error) {
	record, err := s.Jobs.Load(id)
	if errors.Is(err, store.ErrNotFound) {
		return record, s.noSuch(id)
	}
	if err != nil || record.Job.State.Ended() {
		return record, err
	}
	lives, err := s.lives(ctx, record)
	if err != nil || lives {
		return record, err
	}
	return s.interrupt(ctx, id)
}

// lives says whether anything still works on a job: its runner, or a command that a dead runner left.
func (s *Service) lives(ctx context.Context, record store.Record) (bool, error) {
	alive, err := s.Engine.RunnerAlive(ctx, record.Job.ID)
	if err != nil || alive {
		return alive, err
	}
	if owned, err := s.Jobs.Owned(record.Job.ID); err != nil || owned {
		return owned, err
	}
	if run := record.Current(); run != nil {
		return s.Engine.ConsoleAlive(ctx, run.Console)
	}
	// Between the making of a job and the start of its runner there is a moment.
	return record.Job.State == proto.JobAccepted && s.now().Sub(record.Job.Created).Abs() < startGrace, nil
}

// startGrace is longer than it takes to start a runner.
const startGrace = 15 * time.Second

// interrupt writes that a job was cut off. It takes the runner's place while it does, so that no
// runner can come in between.
func (s *Service) interrupt(ctx context.Context, id proto.JobID) (store.Record, error) {
	release, err := s.Jobs.Own(id)
	if err != nil {
		return store.Record{}, err
	}
	if release == nil { // a runner came
		return s.Jobs.Load(id)
	}
	defer release()
	record, err := s.Jobs.Load(id)
	if err != nil || record.Job.State.Ended() {
		return record, err
	}
	// A runner may have come and gone since the record was read, and have left a command.
	if run := record.Current(); run != nil {
		if alive, err := s.Engine.ConsoleAlive(ctx, run.Console); err != nil || alive {
			return record, err
		}
	}
	began := record.Job.State == proto.JobRunning
	for i := range record.Job.Steps {
		cutOff(&record.Job.Steps[i])
	}
	now := s.now()
	if run := record.Current(); run != nil {
		run.Ended, run.Gone = now, true
		run.Stdout, run.Stderr, _ = s.Folders.Settle(run.Console) // a disk that fails makes nothing less interrupted
	}
	job := &record.Job
	job.State, job.Ended = proto.JobInterrupted, now
	job.Error = &proto.Error{Code: proto.CodeJob, Message: "the job was cut off: the host went down, or its runner was killed again and again; it is never run again by itself",
		Advice: proto.Advice{Code: proto.AdvicePlanStatus}}
	if began && job.Kind == proto.KindApply {
		if err := s.Plans.SaveSteps(job.Plan, plans.Steps{Job: id, Time: now, Steps: job.Steps}); err != nil {
			return record, err
		}
	}
	if _, err := s.Audit.Append(proto.AuditEntry{Action: audit.ActionJobEnd, Operator: string(job.Operator), User: string(job.User), Purpose: string(job.Kind),
		Result: string(job.State), Detail: fmt.Sprintf("job %s: plan %s %s", id, job.Plan, job.Error.Message)}); err != nil {
		return record, err
	}
	return record, s.Jobs.Save(record)
}

// cutOff is where a step is of which nobody has seen the end.
func cutOff(step *proto.JobStep) {
	switch step.State {
	case proto.StepChecking:
		step.State = proto.StepSimulated
	case proto.StepRunning:
		step.State, step.Detail = proto.StepInterrupted, "nobody saw how its command ended"
	case proto.StepVerifying:
		step.State, step.Detail = proto.StepUnverified, "its command ended well, and nobody saw the dry run after it"
	}
}

// Mutating is the job that changes the data of this application, or nil.
func (s *Service) Mutating(ctx context.Context) (*proto.Job, error) {
	all, err := s.Jobs.List()
	if err != nil {
		return nil, err
	}
	for _, record := range all {
		if record.Job.Kind != proto.KindApply || record.Job.State.Ended() {
			continue
		}
		now, err := s.settled(ctx, record.Job.ID)
		if err != nil {
			return nil, err
		}
		if !now.Job.State.Ended() {
			return &now.Job, nil
		}
	}
	return nil, nil
}
