package deploy

import (
	"context"
	"fmt"
	"slices"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/proto"
)

// rehearse is the dry run: every check that changes nothing, then what would be
// run and restarted. It takes no lease, so it never stands in anybody's way.
func (r *run) rehearse(ctx context.Context, steps []step) error {
	s := step{name: stepPreflight, do: r.rehearseHosts}
	ok := r.one(ctx, s)
	if ok && r.operation == opDeploy {
		ok = r.one(ctx, step{name: stepLocal, do: r.rehearseTree})
	}
	if ok {
		r.rehearseCommands(steps)
	}
	r.release()
	var failure *exit.Error
	if r.failure != nil {
		failure = exit.From(r.failure)
	}
	report := r.summary(failure)
	for i := range report.Hosts {
		report.Hosts[i].Good = 0
	}
	r.emit(event.Event{Kind: event.Summary, Summary: report, DryRun: true})
	if failure != nil {
		return failure
	}
	return nil
}

// rehearseHosts does what preflight does, without the lease.
func (r *run) rehearseHosts(ctx context.Context) error {
	if err := r.lookLocally(); err != nil {
		return err
	}
	if err := r.connect(ctx); err != nil {
		return err
	}
	r.each(ctx, func(ctx context.Context, h *host) error {
		var release proto.Release
		if err := h.call(ctx, proto.OpRelease, nil, &release); ignoreUnreadable(nil, err) != nil {
			return err
		} else if err == nil {
			h.before = &release
		}
		var list proto.UnitList
		if err := h.call(ctx, proto.OpUnits, proto.UnitsArgs{Only: r.Only}, &list); err != nil {
			return err
		}
		h.patterns = list.Patterns
		if err := r.whoHolds(ctx, h); err != nil {
			return err
		}
		r.emit(event.Event{Kind: event.Plan, Host: h.name(), Plan: h.patterns, Release: h.before})
		return r.someUnits(h)
	})
	return r.notReady("nothing was changed")
}

// rehearseTree is what step local would find.
func (r *run) rehearseTree(ctx context.Context) error {
	notes, err := r.Tree.Standing(ctx, r.Environment.Branch)
	for _, note := range notes {
		r.emit(event.Event{Kind: event.Warning, Text: note})
	}
	return err
}

// whoHolds warns that a lease would be refused now. That is no failure: it will be over when it is over.
func (r *run) whoHolds(ctx context.Context, h *host) error {
	var now proto.Status
	if err := h.call(ctx, proto.OpStatus, nil, &now); err != nil {
		return err
	}
	holder := now.Lease
	for _, job := range now.Jobs {
		if job.Kind == proto.KindApply && holder == nil {
			holder = &proto.Holder{Operator: job.Operator, User: job.User, Since: job.Created, Job: job.ID, Purpose: "migration"}
		}
	}
	if holder != nil {
		r.emit(event.Event{
			Kind: event.Warning, Host: h.name(), Next: r.watch(*holder),
			Text: "a " + r.operation + " would be refused now: " + r.heldBy(*holder),
		})
	}
	return nil
}

// someUnits refuses a host on which a pattern has no instance: systemctl would
// answer "success" to that, and old code would go on.
func (r *run) someUnits(h *host) error {
	for _, p := range h.patterns {
		if len(p.Units) == 0 {
			return &exit.Error{
				Code:    exit.Failed,
				Message: fmt.Sprintf("no instance of %s is expected on this host", p.Pattern),
				Next:    "rpctl doctor --env " + r.Environment.Name,
			}
		}
	}
	if h.units() == 0 {
		return &exit.Error{Code: exit.Failed, Message: "no unit of this host matches " + list(r.Only)}
	}
	return nil
}

// rehearseCommands shows the local commands in their order.
func (r *run) rehearseCommands(steps []step) {
	for _, s := range steps {
		if slices.Contains(r.Skip, s.name) {
			continue
		}
		switch s.name {
		case stepLocal:
			r.would([]string{"git", "checkout", r.Environment.Branch})
			r.would([]string{"git", "pull", "--ff-only"})
		case stepPrepare:
			for _, argv := range r.Environment.Prepare {
				r.would(argv)
			}
		case stepDeploy, stepRollback:
			r.would(r.argv)
		}
	}
}

func (r *run) would(argv []string) {
	r.emit(event.Event{Kind: event.Command, Argv: argv, DryRun: true})
}
