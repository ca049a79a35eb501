package migrate

import (
	"context"
	"slices"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/fleet"
	"github.com/re-connect/rpctl/proto"
)

// Simulate runs the whole plan as dry runs on the environment's console host, shows
// what they found and keeps the host's receipt beside the plan. It never changes data.
func Simulate(ctx context.Context, world World, options Options) error {
	r := newRun(world, options)
	to, agent, err := r.reachPinned(ctx)
	if err != nil {
		return err
	}
	id, err := newID(r.Random)
	if err != nil {
		_ = agent.Close()
		return err
	}
	r.begin(to, "simulate", true)
	job, err := r.runJob(ctx, to, agent, proto.JobStartArgs{ID: id, Kind: proto.KindSimulate, Plan: r.Plan})
	if err != nil {
		return err
	}
	if err := outcome(r.place(to), job, r.command("migrate", to.Environment)); err != nil {
		return err
	}
	if job.Receipt == nil && verified(job.Steps) {
		r.emit(to, event.Event{
			Kind: event.Warning, Text: "every step of this plan is verified on " + to.Host + ": nothing is left to simulate",
			Next: r.command("migrate status", to.Environment),
		})
		return nil
	}
	before, _ := r.storedSimulation(to.Environment) // none, or one that does not count, had other figures
	simulation, err := r.keepSimulation(to, job.Receipt)
	if err != nil {
		return err
	}
	next := r.afterSimulation(to, simulation)
	if begun(job) && before.FiguresDigest() == simulation.FiguresDigest() { // and so whoever has approved them still does
		next = r.command("migrate status", to.Environment)
	}
	r.figures(to, simulation, next)
	r.leftOfKept(to, job, simulation)
	if step, accommodation, open := r.undecided(simulation); open {
		r.warn(to, "the plan says nothing of accommodation %d of step %s, or refuses it: record what was decided, then simulate again", accommodation, step)
	}
	return nil
}

// begun says that the host simulated what is left of a plan that it has begun to apply.
func begun(job proto.Job) bool {
	return slices.ContainsFunc(job.Steps, func(s proto.JobStep) bool { return s.State == proto.StepVerified || s.Remaining != nil })
}

// leftOfKept tells how many are left of a half-done step whose earlier figures the host has kept: the table
// shows those, which were approved, and the console has just shown fewer.
func (r *run) leftOfKept(to fleet.Target, job proto.Job, simulation proto.Simulation) {
	for _, now := range job.Steps {
		at := slices.IndexFunc(simulation.Steps, func(s proto.SimulatedStep) bool { return s.Step == now.Step })
		if at < 0 || now.State != proto.StepSimulated || now.Remaining == nil {
			continue
		}
		if kept := simulation.Steps[at].Result.Moved; *now.Remaining != kept {
			r.warn(to, "%d are left to move of step %s: the figures are still the earlier simulation's (%d), because what is left comes to the same totals", *now.Remaining, now.Step, kept)
		}
	}
}

// runJob starts a job and follows it from its first byte to its end.
func (r *run) runJob(ctx context.Context, to fleet.Target, agent fleet.Agent, args proto.JobStartArgs) (proto.Job, error) {
	agent, err := r.start(ctx, to, agent, args)
	if err != nil {
		return proto.Job{}, r.advised(to, err)
	}
	return r.follow(ctx, to, agent, proto.JobFollowArgs{ID: args.ID})
}

func (r *run) begin(to fleet.Target, operation string, dry bool) {
	r.emit(to, event.Event{Kind: event.Begin, Operation: operation, Operator: r.Operator, Hosts: []string{to.Host}, DryRun: dry, Digest: r.Plan.Digest()})
}

// figures shows what a simulation found.
func (r *run) figures(to fleet.Target, simulation proto.Simulation, next string) {
	r.emit(to, event.Event{
		Kind: event.Figures, Simulation: &simulation, Migration: &r.Plan, Digest: simulation.Plan,
		Figures: simulation.FiguresDigest(), Next: next,
	})
}

// afterSimulation is what comes next: a decision that is missing, or the product owner.
func (r *run) afterSimulation(to fleet.Target, simulation proto.Simulation) string {
	if _, _, open := r.undecided(simulation); open {
		return r.command("migrate", to.Environment)
	}
	return r.command("migrate report", to.Environment) + " --format slack"
}

// undecided is the first shared accommodation that the plan says nothing of, or refuses.
func (r *run) undecided(simulation proto.Simulation) (step string, accommodation int64, open bool) {
	for i, located := range r.Plan.Steps() {
		for _, conflict := range simulation.Steps[i].Result.Conflicts {
			accepted := false
			for _, d := range located.Decisions {
				accepted = accepted || d.Accommodation == conflict.Accommodation && d.Accepted
			}
			if !accepted {
				return string(located.ID), conflict.Accommodation, true
			}
		}
	}
	return "", 0, false
}
