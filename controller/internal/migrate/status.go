package migrate

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/fleet"
	"github.com/re-connect/rpctl/controller/internal/inventory"
	"github.com/re-connect/rpctl/proto"
)

// Status shows where the plan stands on each of the environments, gate by gate, with the
// next command. What an environment has applied goes along to the one that waits for it.
func Status(ctx context.Context, world World, options Options, environments []inventory.Environment) error {
	r := newRun(world, options)
	r.applies = true
	applied := map[string]*proto.Signed{}
	var failed []error
	asked := inOrder(environments)
	for _, e := range asked {
		if err := r.statusOf(ctx, e, applied); err != nil {
			if ctx.Err() != nil {
				return err
			}
			to, _ := target(e)
			r.emit(to, event.Event{Kind: event.Warning, Text: exit.From(err).Message, Next: exit.From(err).Next, HostSuggests: exit.From(err).HostSuggests})
			failed = append(failed, err)
		}
	}
	switch {
	case len(asked) == 0:
		_, err := target(environments[0])
		return err
	case len(failed) == 0:
		return nil
	}
	failure := *exit.From(failed[0])
	if len(failed) < len(asked) {
		failure.Code = exit.Partial
	}
	return &failure
}

// inOrder are the environments that run migrations, each after the one that it waits for.
func inOrder(environments []inventory.Environment) []inventory.Environment {
	var sorted []inventory.Environment
	for _, e := range environments {
		if e.Console == nil {
			continue
		}
		at := slices.IndexFunc(sorted, func(other inventory.Environment) bool { return other.After == e.Name })
		if at < 0 {
			at = len(sorted)
		}
		sorted = slices.Insert(sorted, at, e)
	}
	return sorted
}

func (r *run) statusOf(ctx context.Context, e inventory.Environment, applied map[string]*proto.Signed) error {
	applied[e.Name] = nil
	to, agent, err := r.reach(ctx, e)
	if err != nil {
		return err
	}
	defer func() { _ = agent.Close() }() // the answer is there
	args := proto.PlanStatusArgs{Plan: r.Plan}
	switch receipt, asked := applied[e.After]; {
	case receipt != nil:
		args.Receipts = append(args.Receipts, *receipt)
	case asked: // and it has none, or was not reached, which is told: what lies beside the plan may still do
		if stored, err := r.storedApplied(e.After); err == nil {
			args.Receipts = append(args.Receipts, stored)
		}
	default:
		args.Receipts = r.othersReceipts(ctx, e)
	}
	var status proto.PlanStatus
	if err := call(ctx, agent, proto.OpPlanStatus, args, &status); err != nil {
		return err
	}
	applied[e.Name] = status.Applied
	r.gates(to, status)
	r.fetch(to, status.Applied)
	return nil
}

// fetch keeps the receipt of an environment where the plan was applied, where it does not lie beside the plan yet.
func (r *run) fetch(to fleet.Target, receipt *proto.Signed) {
	if _, err := r.storedApplied(to.Environment); receipt == nil || !errors.Is(err, fs.ErrNotExist) {
		return
	}
	if _, err := r.keepApplied(to, receipt); err != nil {
		r.warn(to, "%s", exit.From(err).Message)
	}
}

// gates shows a plan's standing on one host, its advice naming this plan.
func (r *run) gates(to fleet.Target, status proto.PlanStatus) {
	for i := range status.Gates {
		gate := &status.Gates[i]
		gate.Next, gate.HostSuggests = r.place(to).Follow(gate.Advice, gate.HostSuggests)
		gate.Advice = proto.Advice{}
	}
	status.Gates = r.drifted(to, status)
	next, suggests := r.nextOf(to, status)
	r.emit(to, event.Event{Kind: event.Gates, PlanStatus: &status, Digest: status.Plan, Next: next, HostSuggests: suggests})
}

// drift is gate 5 (docs/gates.md), which the host asks only immediately before a step, and driftClosed how an
// older agent words it, whose steps do not say which gate stopped them.
const (
	drift       = 5
	driftClosed = "gate 5 (drift) is closed"
)

// drifted shows gate 5 closed where it stopped a step and nothing was simulated since: with the same
// forecast the step would stop again. The gates that status has stay as the host told them: an apply may be
// tried all the same, the data may be as it was.
func (r *run) drifted(to fleet.Target, status proto.PlanStatus) []proto.GateStatus {
	at := slices.IndexFunc(status.Gates, func(g proto.GateStatus) bool { return g.Gate == drift && g.Open })
	stopped := slices.IndexFunc(status.Steps, func(s proto.JobStep) bool {
		return s.State == proto.StepStopped && (s.Gate == drift || s.Gate == 0 && strings.Contains(string(s.Detail), driftClosed))
	})
	if at < 0 || stopped < 0 {
		return status.Gates
	}
	var simulation proto.Simulation
	step := status.Steps[stopped]
	if status.Simulation != nil && proto.DecodeStrict([]byte(status.Simulation.Body), &simulation) == nil && simulation.Time.After(step.Ended) {
		return status.Gates
	}
	shown := slices.Clone(status.Gates)
	shown[at].Open = false
	shown[at].Why = proto.Textf("it stopped step %s, and nothing was simulated since", step.Step)
	shown[at].Next = r.command("migrate", to.Environment)
	return shown
}

// nextOf is what to type next for a plan on a host, or what the host suggests where rpctl knows nothing.
func (r *run) nextOf(to fleet.Target, status proto.PlanStatus) (next string, suggests proto.HostText) {
	if status.Running != "" {
		return exit.Command("attach", string(status.Running), "--env", to.Environment), ""
	}
	if verified(status.Steps) {
		return "", ""
	}
	for _, gate := range status.Gates {
		if !gate.Open && (gate.Next != "" || gate.HostSuggests != "") && !r.unsigned(gate, status) {
			return gate.Next, gate.HostSuggests
		}
	}
	return r.command("migrate --apply", to.Environment), ""
}

// unsigned says that the gate approval is closed for want of a signed start alone, which
// only the start of a job can bring: there is an approval, and it fits and is in time.
func (r *run) unsigned(gate proto.GateStatus, status proto.PlanStatus) bool {
	if gate.Name != "approval" || gate.Open || status.Approval == nil || status.Simulation == nil {
		return false
	}
	var approval proto.Approval
	var simulation proto.Simulation
	if proto.DecodeStrict([]byte(status.Approval.Body), &approval) != nil || proto.DecodeStrict([]byte(status.Simulation.Body), &simulation) != nil {
		return false
	}
	if revocation := (proto.Revocation{}); status.Revocation != nil &&
		(proto.DecodeStrict([]byte(status.Revocation.Body), &revocation) != nil || !approval.Time.After(revocation.Time)) {
		return false
	}
	return approval.Plan == r.Plan.Digest() && approval.Figures == simulation.FiguresDigest() && r.Now().Before(approval.Expires)
}

// verified says whether every step of the plan is.
func verified(steps []proto.JobStep) bool {
	return len(steps) > 0 && !slices.ContainsFunc(steps, func(s proto.JobStep) bool { return s.State != proto.StepVerified })
}
