package migrate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/fleet"
	"github.com/re-connect/rpctl/controller/internal/inventory"
	"github.com/re-connect/rpctl/proto"
)

// Applying is what an apply may bring along.
type Applying struct {
	Resolve    []proto.Resolution
	BreakGlass string // reason; empty for none
}

// Apply runs the plan for real on the environment's console host, step by step, behind
// the host's gates, and keeps the host's receipt beside the plan.
func Apply(ctx context.Context, world World, options Options, with Applying) error {
	r := newRun(world, options)
	if r.Environment.After != "" {
		if _, err := r.pinned(r.Environment.After); err != nil { // no receipt of it could count
			return err
		}
	}
	r.applies = true
	to, agent, err := r.reachPinned(ctx)
	if err != nil {
		return err
	}
	var args proto.JobStartArgs
	if r.Intact != nil {
		err = r.Intact(to)
	}
	if err == nil {
		args, err = r.prepareApply(ctx, to, agent, with)
	}
	if err != nil {
		_ = agent.Close() // nothing was started
		return r.advised(to, err)
	}
	r.begin(to, "apply", false)
	job, err := r.runJob(ctx, to, agent, args)
	if err != nil {
		return err
	}
	if args.Intent != nil {
		if _, err := r.store.write(to.Environment+startFile, *args.Intent); err != nil {
			r.warn(to, "%s", exit.From(err).Message)
		}
	}
	if err := outcome(r.place(to), job, r.command("migrate status", to.Environment)); err != nil {
		return err
	}
	applied, err := r.keepApplied(to, job.Receipt)
	if err := r.unkept(to, err); err != nil {
		return err
	}
	r.emit(to, event.Event{Kind: event.Applied, Applied: &applied, Migration: &r.Plan, Digest: applied.Plan, Next: r.afterApply()})
	return nil
}

// unkept lets a receipt pass that could not be kept for something on this machine: what was done counts,
// and the host has the receipt until migrate status fetches it.
func (r *run) unkept(to fleet.Target, err error) error {
	if err == nil || exit.From(err).Code != exit.LocalFailed {
		return err
	}
	r.emit(to, event.Event{
		Kind: event.Warning, Text: exit.From(err).Message + "; the plan was applied all the same, and once that is mended, migrate status fetches its receipt",
		Next: r.command("migrate status", to.Environment),
	})
	return nil
}

// afterApply is what follows an apply: the environment that waits for this one.
func (r *run) afterApply() string {
	for _, e := range r.All {
		if e.After == r.Environment.Name {
			return r.command("migrate", e.Name)
		}
	}
	return r.command("migrate status", r.Environment.Name)
}

// prepareApply shows the gates, asks, and signs. Nothing on the host has changed when it fails.
func (r *run) prepareApply(ctx context.Context, to fleet.Target, agent fleet.Agent, with Applying) (proto.JobStartArgs, error) {
	args := proto.JobStartArgs{Kind: proto.KindApply, Plan: r.Plan, Resolve: with.Resolve, BreakGlass: with.BreakGlass}
	if err := r.accepts(ctx, to, agent); err != nil {
		return args, err
	}
	args.Receipts = r.othersReceipts(ctx, r.Environment)
	var status proto.PlanStatus
	if err := call(ctx, agent, proto.OpPlanStatus, proto.PlanStatusArgs{Plan: r.Plan, Receipts: args.Receipts}, &status); err != nil {
		return args, err
	}
	r.gates(to, status)
	if err := r.closed(to, status, with); err != nil {
		return args, err
	}
	if err := r.reads(to, status, with); err != nil {
		return args, err
	}
	if err := r.confirm(ctx, to, with); err != nil {
		return args, err
	}
	var err error
	if args.ID, err = newID(r.Random); err != nil {
		return args, err
	}
	args.Intent, err = r.intent(ctx, to, status, args)
	return args, err
}

// reads refuses a host whose agent is older than the signature that its rules ask for.
func (r *run) reads(to fleet.Target, status proto.PlanStatus, with Applying) error {
	if !r.mustSign(with.BreakGlass) || status.Start >= proto.IntentVersion {
		return nil
	}
	return &exit.Error{
		Code: exit.Refused, Host: to.Host, Next: "rpctl agent upgrade --env " + to.Environment,
		Message: "the rp-agent of this host is older than this rpctl: it does not read a signature under the whole start; nothing was changed",
	}
}

// mustSign says whether the host asks for a signed start.
func (r *run) mustSign(breakGlass string) bool {
	return !r.Environment.Console.SelfApproval || breakGlass != ""
}

// closed is the first gate that will be closed whatever the start of the job brings
// along; the others the host judges when it has seen the signed start.
func (r *run) closed(to fleet.Target, status proto.PlanStatus, with Applying) error {
	for _, gate := range status.Gates {
		switch {
		case gate.Open,
			r.unsigned(gate, status),
			(gate.Name == "approval" || gate.Name == "before") && with.BreakGlass != "",
			gate.Name == "unresolved" && len(with.Resolve) > 0:
			continue
		}
		return &exit.Error{
			Code: exit.Refused, Host: to.Host, Next: gate.Next, HostSuggests: gate.HostSuggests,
			Message: fmt.Sprintf("gate %d (%s) is closed: %s; nothing was changed", gate.Gate, gate.Name, gate.Why),
		}
	}
	return nil
}

// confirm asks whether the plan shall run for real.
func (r *run) confirm(ctx context.Context, to fleet.Target, with Applying) error {
	if with.BreakGlass != "" {
		r.warn(to, "BREAKING THE GLASS: the gates approval and before are passed (%s); the host keeps that for ever", with.BreakGlass)
	}
	word := "yes"
	if r.Environment.Confirm {
		word = to.Environment
	}
	question := fmt.Sprintf("apply %d steps to %s (%s) for real? type %s: ", len(r.Plan.Steps()), to.Environment, to.Host, word)
	return r.ask(ctx, question, word)
}

// ask wants one word typed; --yes goes for it. Without a terminal there is nobody to ask.
func (r *run) ask(ctx context.Context, question, word string) error {
	if r.Yes {
		return nil
	}
	if r.Confirm == nil {
		return &exit.Error{Code: exit.Refused, Message: "not confirmed, and there is no terminal to ask on; nothing was changed", Next: r.Confirmed}
	}
	answer, err := r.Confirm(ctx, question)
	if ctx.Err() != nil {
		return &exit.Error{Code: exit.Interrupted, Message: "interrupted: nothing was changed", Err: ctx.Err()}
	}
	if err != nil {
		return err
	}
	if strings.TrimSpace(answer) != word {
		return &exit.Error{Code: exit.Refused, Message: "not confirmed: nothing was changed"}
	}
	return nil
}

// intent is the operator's signature under the whole of this very start. Where the host lets approvers
// apply, it can do without: then a key that cannot be used is only told.
func (r *run) intent(ctx context.Context, to fleet.Target, status proto.PlanStatus, args proto.JobStartArgs) (*proto.Signed, error) {
	var simulation proto.Simulation
	if status.Simulation != nil {
		if err := proto.DecodeStrict([]byte(status.Simulation.Body), &simulation); err != nil {
			return nil, &exit.Error{Code: exit.HostFailed, Host: to.Host, Err: err, Message: "the simulation of this host cannot be read; nothing was changed",
				Next: r.command("migrate", to.Environment)}
		}
	}
	statement := args.Statement(to.Environment, status.Host, r.Operator, simulation, status.Approval, r.Now().UTC())
	signed, err := r.Sign(ctx, to.Host, r.Key, proto.NamespaceIntent, proto.CanonicalBody(statement))
	switch {
	case err == nil:
		return &signed, nil
	case !r.mustSign(args.BreakGlass) && r.Key == "" && ctx.Err() == nil:
		r.warn(to, "the start is not signed: %s", exit.From(err).Message)
		return nil, nil
	}
	return nil, err
}

// othersReceipts are those of the environment that comes before e: from beside the plan, or
// from its host. Without them the host says which gate is closed.
func (r *run) othersReceipts(ctx context.Context, e inventory.Environment) []proto.Signed {
	before, ok := r.environment(e.After)
	if !ok {
		return nil
	}
	signed, err := r.storedApplied(before.Name)
	if err == nil {
		return []proto.Signed{signed}
	}
	to, _ := target(before)
	if !errors.Is(err, fs.ErrNotExist) {
		r.warn(to, "%v", err)
	}
	fetched, err := r.fetchApplied(ctx, before)
	if err != nil {
		r.warn(to, "cannot ask for the receipt of %s: %s", before.Name, exit.From(err).Message)
	}
	if fetched == nil {
		return nil
	}
	return []proto.Signed{*fetched}
}

// fetchApplied asks the host of an environment for its receipt, and keeps it.
func (r *run) fetchApplied(ctx context.Context, e inventory.Environment) (*proto.Signed, error) {
	to, agent, err := r.reach(ctx, e)
	if err != nil {
		return nil, err
	}
	defer func() { _ = agent.Close() }() // the answer is there
	var status proto.PlanStatus
	if err := call(ctx, agent, proto.OpPlanStatus, proto.PlanStatusArgs{Plan: r.Plan}, &status); err != nil || status.Applied == nil {
		return nil, err
	}
	_, err = r.keepApplied(to, status.Applied)
	return status.Applied, err
}

func (r *run) environment(name string) (inventory.Environment, bool) {
	for _, e := range r.All {
		if e.Name == name && name != "" {
			return e, true
		}
	}
	return inventory.Environment{}, false
}
