package jobs

import (
	"context"
	"fmt"
	"os"

	"github.com/re-connect/rpctl/agent/internal/audit"
	"github.com/re-connect/rpctl/agent/internal/gates"
	"github.com/re-connect/rpctl/agent/internal/jobs/store"
	"github.com/re-connect/rpctl/agent/internal/plans"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

// defaultJobs is how many are listed where nobody says.
const defaultJobs = 20

// List is the job that is named, or the newest; in a list the receipts and conflicts are left out, which are long.
func (s *Service) List(ctx context.Context, args proto.JobsArgs) (proto.JobList, error) {
	list := proto.JobList{Jobs: []proto.Job{}}
	if args.ID != "" {
		record, err := s.settled(ctx, args.ID)
		if err != nil {
			return list, err
		}
		list.Jobs = append(list.Jobs, s.sized(record))
		return list, nil
	}
	if args.Limit < 0 || args.Limit > proto.MaxJobs {
		return list, &proto.Error{Code: proto.CodeBadRequest, Message: proto.Textf("limit %d is not between 0 and %d", args.Limit, proto.MaxJobs)}
	}
	if args.Limit == 0 {
		args.Limit = defaultJobs
	}
	all, err := s.Jobs.List()
	if err != nil {
		return list, err
	}
	for _, record := range all[:min(args.Limit, len(all))] {
		if record, err = s.settled(ctx, record.Job.ID); err != nil {
			return list, err
		}
		list.Jobs = append(list.Jobs, brief(s.sized(record)))
	}
	return list, nil
}

func brief(job proto.Job) proto.Job {
	job.Receipt = nil
	return job.WithoutConflicts()
}

// sized is the job with the output that there is at this moment.
func (s *Service) sized(record store.Record) proto.Job {
	job := record.Job
	job.Stdout, job.Stderr = 0, 0
	for _, run := range record.Runs {
		out, err := run.Stdout, run.Stderr
		if run.Open() {
			out, err = length(s.Folders.Stdout(run.Console)), length(s.Folders.Stderr(run.Console))
		}
		job.Stdout += out
		job.Stderr += err
	}
	return job
}

func length(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// Cancel asks a job to stop before its next step, or, with Now, ends its command too.
func (s *Service) Cancel(ctx context.Context, args proto.JobCancelArgs, caller Caller) (proto.Job, error) {
	record, err := s.settled(ctx, args.ID)
	if err != nil || record.Job.State.Ended() {
		return s.sized(record), err
	}
	asked, err := s.askCancel(args, caller)
	if err != nil {
		return proto.Job{}, err
	}
	// The record is read after the wish is on the disk: a command that starts later is its runner's to end.
	if record, err = s.Jobs.Load(args.ID); err != nil {
		return proto.Job{}, err
	}
	if run := record.Current(); args.Now && run != nil {
		if err := s.Engine.StopConsole(ctx, run.Console); err != nil {
			return proto.Job{}, err
		}
	}
	job := s.sized(record)
	job.CancelAsked, job.CancelNow = true, asked.Now
	return job, nil
}

// askCancel notes the request in the audit and keeps it, and returns the one in effect. Asked again for no more than is
// asked for already it writes nothing: a loop would fill the audit.
func (s *Service) askCancel(args proto.JobCancelArgs, caller Caller) (store.Cancel, error) {
	if before, err := s.Jobs.CancelAsked(args.ID); err == nil && before != nil && (before.Now || !args.Now) {
		return *before, nil
	}
	wish := "before its next step"
	if args.Now {
		wish = "at once"
	}
	if err := s.tell(caller, audit.ActionCancel, fmt.Sprintf("job %s %s", args.ID, wish)); err != nil {
		return store.Cancel{}, err
	}
	return s.Jobs.AskCancel(args.ID, store.Cancel{Now: args.Now, Operator: caller.Operator, User: caller.User, Time: s.now()})
}

// PlanStatus is where a plan stands on this host, gate by gate.
func (s *Service) PlanStatus(ctx context.Context, args proto.PlanStatusArgs) (proto.PlanStatus, error) {
	running, err := s.Mutating(ctx)
	if err != nil {
		return proto.PlanStatus{}, err
	}
	newest, err := s.Audit.Newest()
	if err != nil {
		return proto.PlanStatus{}, err
	}
	now := s.now()
	question := plans.Question{Start: proto.JobStartArgs{Plan: args.Plan, Receipts: args.Receipts}, Rules: s.Config.Console, Mark: newest, Asked: now, Now: now}
	status := proto.PlanStatus{Environment: s.Config.Environment, Host: s.Name, Plan: args.Plan.Digest(), Start: proto.IntentVersion}
	if running != nil {
		question.Running, status.Running = running.ID, running.ID
	}
	if current, err := s.Releases.Current(); err == nil {
		question.Revision = current.Revision
	}
	standing, evidence, err := s.Plans.Standing(question)
	if err != nil {
		return proto.PlanStatus{}, err
	}
	standing.Looking = true
	status.Gates = evidence.Explain(gates.All(standing))
	if evidence.Revocation != nil {
		status.Revocation = &evidence.Revocation.Signed
	}
	status.Simulation, status.Approval, status.Applied = evidence.SignedSimulation, evidence.SignedApproval, evidence.SignedApplied
	status.Steps = stepsOf(args.Plan, evidence.Steps)
	return status, nil
}

// stepsOf is every step of the plan, with what is known of it.
func stepsOf(p plan.Plan, known plans.Steps) []proto.JobStep {
	steps := []proto.JobStep{}
	for _, step := range p.Steps() {
		at := proto.JobStep{Step: step.ID, State: proto.StepPending}
		for _, k := range known.Steps {
			if k.Step == step.ID {
				at = k
			}
		}
		steps = append(steps, at)
	}
	return steps
}

// rules are the host's; the zero value where it runs no console.
func (s *Service) rules() proto.Console {
	if s.Config.Console == nil {
		return proto.Console{}
	}
	return *s.Config.Console
}
