package cli

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/fleet"
	"github.com/re-connect/rpctl/controller/internal/view"
	"github.com/re-connect/rpctl/proto"
)

// answerTime bounds how long a host that was reached may take to answer a question.
const answerTime = 30 * time.Second

func (a *app) statusCommand() *cobra.Command {
	var env string
	cmd := &cobra.Command{
		Use:   "status [--env ENVIRONMENT]",
		Short: "Show what runs on all hosts of all environments",
		Long: "Show what runs on all hosts of all environments, or of one. More than 50 hosts are shown as they answer.\n\n" +
			"Exit code: 0 all healthy, 1 some are not, 3 some could not be asked, 5 to 8 none could.",
		Args: a.noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.status(cmd.Context(), env) },
	}
	a.envFlag(cmd, &env, "one environment (default: all)")
	return cmd
}

func (a *app) status(ctx context.Context, env string) error {
	environments, err := a.environments(env)
	if err != nil {
		return err
	}
	all := targets(environments)
	show, end := a.statusPage(all)
	results := ask(ctx, a, all, proto.OpStatus, nil, func(r fleet.Result[proto.Status]) {
		e := event.Event{
			Kind: event.Status, Environment: r.Target.Environment, Host: r.Target.Host, DurationMS: r.Took.Milliseconds(),
		}
		if r.Err != nil {
			e.Error = told(exit.From(r.Err))
		} else {
			e.Status, e.Next = &r.Value, a.sameHosts(nextOnHost(r.Target.Environment, r.Value))
		}
		show(e)
	})
	end(results)
	return statusOutcome(ctx, results)
}

// nextOnHost is what to type about what is under way on a host, or was left half done there.
func nextOnHost(environment string, s proto.Status) string {
	waits := func(p proto.PlanState) bool { return p.Job == "" && (p.State == "begun" || len(p.Waiting) > 0) }
	last := s.LastDeploy
	switch {
	case len(s.Jobs) > 0:
		return attach(s.Jobs[0].ID, environment)
	case slices.ContainsFunc(s.Plans, waits):
		return "rpctl jobs --env " + environment
	case last == nil || last.Result != proto.ResultUnknown:
		return ""
	case last.Kind == "deploy": // from the beginning: whether its command had come to its end is not known
		return "rpctl deploy --env " + environment
	default: // never a rollback again, which would go one release further back
		return "rpctl restart --env " + environment
	}
}

// attach is how to follow a job; one without an id is looked for.
func attach(id proto.JobID, environment string) string {
	if !id.Valid() {
		return exit.Command("jobs", "--env", environment)
	}
	return exit.Command("attach", string(id), "--env", environment)
}

// manyHosts are more than a screen has lines: nobody waits for the last to see the first.
const manyHosts = 50

// statusPage says how hosts are shown: as they answer for --json and where they are many, else
// in one table at the end, in the order of hosts.toml.
func (a *app) statusPage(all []fleet.Target) (show func(event.Event), end func([]fleet.Result[proto.Status])) {
	nothing := func([]fleet.Result[proto.Status]) {}
	if a.flags.json {
		return a.emit, nothing
	}
	if len(all) > manyHosts {
		environment, host := 0, 0
		for _, target := range all {
			environment, host = max(environment, len(target.Environment)), max(host, len(target.Host))
		}
		lines := view.NewStatusLines(environment, host, a.look())
		a.print(lines.Head())
		return func(e event.Event) { a.print(lines.Host(e)) }, nothing
	}
	var shown []event.Event
	return func(e event.Event) { shown = append(shown, e) }, func(results []fleet.Result[proto.Status]) {
		a.print(view.StatusTable(inOrder(shown, results), a.look()))
	}
}

// inOrder has the events in the order of the hosts, not of their arrival.
func inOrder[T any](events []event.Event, results []fleet.Result[T]) []event.Event {
	byHost := map[fleet.Target][]event.Event{}
	for _, e := range events {
		target := fleet.Target{Environment: e.Environment, Host: e.Host}
		byHost[target] = append(byHost[target], e)
	}
	var ordered []event.Event
	for _, r := range results {
		ordered = append(ordered, byHost[r.Target]...)
	}
	return ordered
}

// statusOutcome is the exit code of a status, as its help says.
func statusOutcome(ctx context.Context, results []fleet.Result[proto.Status]) error {
	if err := unasked(ctx, results); err != nil {
		return err
	}
	bad, next := 0, ""
	for _, r := range results {
		if r.Value.Healthy() {
			continue
		}
		if bad++; next == "" {
			next = mending(r.Target.Environment, r.Value)
		}
	}
	if bad > 0 {
		return &exit.Error{Code: exit.Failed, Message: fmt.Sprintf("%d of %d hosts are not healthy", bad, len(results)), Next: next}
	}
	return nil
}

// mending is what to type about a host that is not healthy.
func mending(environment string, s proto.Status) string {
	at := func(w proto.WorkerStatus) bool { return w.Active == "active" && w.Code != proto.CodeOld }
	idle := func(w proto.WorkerStatus) bool {
		return w.Active == "inactive" || w.Active == "active" && w.Code == proto.CodeOld
	}
	switch {
	case slices.ContainsFunc(s.Workers, idle): // a restart starts what is stopped, too
		return "rpctl restart --env " + environment
	case slices.ContainsFunc(s.Workers, func(w proto.WorkerStatus) bool { return !at(w) }):
		return "rpctl logs --env " + environment
	case nextOnHost(environment, s) != "":
		return nextOnHost(environment, s)
	default:
		return "rpctl doctor --env " + environment
	}
}

// unasked is the failure of hosts that could not be asked: Partial where others could.
func unasked[T any](ctx context.Context, results []fleet.Result[T]) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var first *exit.Error
	failed := 0
	for _, r := range results {
		if r.Err != nil {
			failed++
			if first == nil {
				copied := *exit.From(r.Err)
				copied.Host = r.Target.Host
				first = &copied
			}
		}
	}
	if failed == 0 || len(results) == 1 {
		if first == nil {
			return nil
		}
		return first
	}
	code := first.Code
	if failed < len(results) {
		code = exit.Partial
	}
	return &exit.Error{
		Code: code, Err: first, Next: first.Next, HostSuggests: first.HostSuggests,
		Message: fmt.Sprintf("%d of %d hosts could not be asked; the first: %s", failed, len(results), first.Error()),
	}
}

// ask asks all targets for one operation.
func ask[T any](ctx context.Context, a *app, all []fleet.Target, op proto.Op, args any, arrived func(fleet.Result[T])) []fleet.Result[T] {
	asking, cancel := context.WithTimeout(ctx, a.flags.timeout+answerTime)
	defer cancel()
	return fleet.Ask(asking, a.fleet(), all, op, args, arrived)
}

// look is how tables are shown.
func (a *app) look() view.Look {
	width := 0 // a pipe or a file is searched: nothing in it is cut
	if a.Live && a.Width != nil {
		width = a.Width()
	}
	return view.Look{Color: a.colors(), Width: width, Now: a.Now()}
}

// print writes a table. What is not written is told at the end.
func (a *app) print(text string) { _, _ = fmt.Fprint(a.Stdout, text) }
