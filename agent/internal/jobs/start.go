package jobs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/re-connect/rpctl/agent/internal/gates"
	"github.com/re-connect/rpctl/agent/internal/jobs/console"
	"github.com/re-connect/rpctl/agent/internal/jobs/store"
	"github.com/re-connect/rpctl/agent/internal/lease"
	"github.com/re-connect/rpctl/agent/internal/plans"
	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

// maxReason bounds what people write as a reason, in bytes.
const maxReason = 500

// Start admits a job and starts its runner. Asked again with the same content, it is
// the same job; with other content the id is taken. Refusals are *proto.Error.
func (s *Service) Start(ctx context.Context, args proto.JobStartArgs, caller Caller) (proto.Job, error) {
	if err := checkStart(args); err != nil {
		return proto.Job{}, err
	}
	release, err := s.Jobs.Admit(ctx)
	if err != nil {
		return proto.Job{}, err
	}
	defer release()
	if spec, err := s.Jobs.Spec(args.ID); err == nil {
		return s.attach(ctx, spec, args)
	} else if !errors.Is(err, store.ErrNotFound) {
		return proto.Job{}, err
	}
	if err := s.unused(args.ID); err != nil {
		return proto.Job{}, err
	}
	created := s.now().Truncate(time.Millisecond)
	if err := s.admit(ctx, args, caller, created); err != nil {
		return proto.Job{}, err
	}
	return s.create(ctx, store.Spec{Args: args, Operator: caller.Operator, User: caller.User, UID: caller.UID, From: caller.From, Created: created})
}

// unused refuses the id of a job that was pruned while the output of its commands is still there.
func (s *Service) unused(id proto.JobID) error {
	var first bool
	for _, run := range []console.ID{console.NewDryID(id, 0), console.NewID(id, 0)} { // agents before NewDryID used the second
		used, err := s.Folders.Used(run)
		if err != nil {
			return fmt.Errorf("cannot look for an earlier job: %w", err)
		}
		first = first || used
	}
	if first {
		return &proto.Error{Code: proto.CodeJob, Message: proto.Textf("cannot start job %s: an earlier job had this id", id), Advice: proto.Advice{Code: proto.AdviceJobs}}
	}
	return nil
}

// checkStart refuses what is no job, before anything is looked at.
func checkStart(args proto.JobStartArgs) error {
	bad := func(format string, a ...any) error {
		return &proto.Error{Code: proto.CodeBadRequest, Message: proto.HostText("cannot start the job: " + fmt.Sprintf(format, a...)), Advice: proto.Advice{Code: proto.AdvicePlanCheck}}
	}
	if !args.ID.Valid() {
		return bad("%q is no job's id: want 8 to 64 of a-z and 0-9", printable.Excerpt(string(args.ID), 80))
	}
	if args.Kind != proto.KindSimulate && args.Kind != proto.KindApply {
		return bad("kind %q is none of simulate, apply", printable.Excerpt(string(args.Kind), 40))
	}
	for _, finding := range plan.Check(args.Plan) {
		if !finding.Warning {
			return bad("the plan's %s: %s", finding.Path, finding.Message)
		}
	}
	if args.Kind == proto.KindSimulate && (len(args.Resolve) > 0 || args.BreakGlass != "" || args.Intent != nil || len(args.Receipts) > 0) {
		return bad("a simulation needs no resolution, no receipt, no intent and no broken glass")
	}
	known := map[plan.StepID]bool{}
	for _, step := range args.Plan.Steps() {
		known[step.ID] = true
	}
	for _, r := range args.Resolve {
		switch {
		case !known[r.Step]:
			return bad("step %q is not in the plan, or resolved twice", printable.Excerpt(string(r.Step), 20))
		case r.As != proto.ResolveRerun && r.As != proto.ResolveDone:
			return bad("step %s cannot be resolved as %q: want rerun or done", r.Step, printable.Excerpt(r.As, 20))
		case !reason(r.Reason):
			return bad("step %s is resolved without a reason that can be read", r.Step)
		}
		delete(known, r.Step)
	}
	if args.BreakGlass != "" && !reason(args.BreakGlass) {
		return bad("the reason for breaking the glass cannot be read")
	}
	return nil
}

// reason says whether a text is one line that a person can read.
func reason(text string) bool {
	return text != "" && len(text) <= maxReason && printable.Line(text) == text
}

// attach answers a second start with the same id.
func (s *Service) attach(ctx context.Context, spec store.Spec, args proto.JobStartArgs) (proto.Job, error) {
	had, err := json.Marshal(spec.Args)
	if err != nil {
		return proto.Job{}, err
	}
	wanted, err := json.Marshal(args)
	if err != nil {
		return proto.Job{}, err
	}
	if !bytes.Equal(had, wanted) {
		return proto.Job{}, &proto.Error{Code: proto.CodeJob,
			Message: proto.Textf("cannot start job %s: the id is taken by another job, of %s", args.ID, spec.Created.Format(time.RFC3339)), Advice: proto.Advice{Code: proto.AdviceJobs}}
	}
	record, err := s.settled(ctx, args.ID)
	if err != nil || record.Job.State.Ended() {
		return s.sized(record), err
	}
	// Where systemd gave up on the runner while its command still runs, this is a new one for it.
	alive, err := s.Engine.RunnerAlive(ctx, args.ID)
	if err == nil && !alive {
		err = s.Engine.StartRunner(ctx, args.ID)
	}
	return s.sized(record), err
}

// admit says whether the job may begin. The runner asks the same questions again.
func (s *Service) admit(ctx context.Context, args proto.JobStartArgs, caller Caller, created time.Time) error {
	running, err := s.Mutating(ctx)
	if err != nil {
		return err
	}
	newest, err := s.Audit.Newest()
	if err != nil {
		return err
	}
	question := plans.Question{
		Start: args, Operator: caller.Operator, Rules: s.Config.Console, Mark: newest, Asked: created, Now: created,
	}
	if running != nil {
		question.Running = running.ID
	}
	current, err := s.Releases.Current()
	if err != nil {
		return err
	}
	question.Revision = current.Revision
	if args.Kind == proto.KindSimulate {
		if err := s.admitSimulation(running); err != nil {
			return err
		}
		return s.roomForSimulation(ctx, args.Plan.Digest(), caller, created)
	}
	standing, evidence, err := s.Plans.Standing(question)
	if err != nil {
		return err
	}
	if refusal := evidence.Refusal(standing); refusal != nil {
		return refusal
	}
	return s.Folders.RoomForApply(s.Disk)
}

func (s *Service) admitSimulation(running *proto.Job) error {
	if s.Config.Console == nil {
		return &proto.Error{Code: proto.CodeGate, Gate: gates.Host, Message: "cannot simulate the plan: gate 9 (host) is closed: this host runs no console commands, the console_host of hosts.toml does",
			Advice: proto.Advice{Code: proto.AdviceStatus}}
	}
	if running != nil {
		return &proto.Error{Code: proto.CodeGate, Gate: gates.Alone, Message: proto.Textf("cannot simulate the plan: gate 7 (alone) is closed: job %s is changing the data", running.ID),
			Advice: proto.Advice{Code: proto.AdviceAttach, Job: running.ID}}
	}
	return nil
}

// create makes the job and starts it. A host that is held for a deploy is left to its holder: each
// side makes its own mark before it looks for the other's, so that never both go on.
func (s *Service) create(ctx context.Context, spec store.Spec) (proto.Job, error) {
	job := proto.Job{
		ID: spec.Args.ID, Kind: spec.Args.Kind, State: proto.JobAccepted, Plan: spec.Args.Plan.Digest(), Ticket: proto.HostText(spec.Args.Plan.Ticket),
		Operator: proto.HostText(spec.Operator), User: proto.HostText(spec.User), Created: spec.Created, BreakGlass: proto.HostText(spec.Args.BreakGlass), Steps: []proto.JobStep{},
	}
	for _, step := range spec.Args.Plan.Steps() {
		job.Steps = append(job.Steps, proto.JobStep{Step: step.ID, State: proto.StepPending})
	}
	if err := s.Jobs.Create(spec, store.Record{Job: job}); err != nil {
		return proto.Job{}, err
	}
	err := s.freeOfLease(job)
	if err == nil {
		err = s.Engine.StartRunner(ctx, job.ID)
	}
	if err != nil {
		return s.unmake(job, err)
	}
	return job, nil
}

// unmake takes back a job that was not started, unless its runner came all the same: an answer of the
// service manager may get lost when what was asked for is done.
func (s *Service) unmake(job proto.Job, why error) (proto.Job, error) {
	release, err := s.Jobs.Own(job.ID)
	switch {
	case err != nil:
		return proto.Job{}, errors.Join(why, err)
	case release == nil:
		return job, nil
	}
	defer release()
	record, err := s.Jobs.Load(job.ID)
	if err == nil && record.Job.State != proto.JobAccepted { // and may even have gone again
		return s.sized(record), nil
	}
	return proto.Job{}, errors.Join(why, s.Jobs.Remove(job.ID))
}

func (s *Service) freeOfLease(job proto.Job) error {
	if job.Kind != proto.KindApply {
		return nil
	}
	holder, err := lease.HolderOf(s.State)
	if err != nil || holder == nil {
		return err
	}
	return &proto.Error{Code: proto.CodeLeaseHeld, Holder: holder,
		Message: proto.Textf("cannot apply the plan: the host is held by %s, for %s", printable.Excerpt(string(holder.Operator+" ("+holder.User+")"), 200), printable.Excerpt(string(holder.Purpose), 60)),
		Advice:  proto.Advice{Code: proto.AdviceStatus}}
}
