package cli

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/migrate"
	"github.com/re-connect/rpctl/controller/internal/planfile"
	"github.com/re-connect/rpctl/proto/plan"
)

// planCommand is the group of verbs on plan.toml; none of them reaches a host.
func (a *app) planCommand() *cobra.Command {
	group := &cobra.Command{
		Use: "plan", Short: "Write, check and describe plan.toml, the form of a migration's ticket",
		Args: cobra.ArbitraryArgs, RunE: a.needsVerb,
	}
	group.AddCommand(
		&cobra.Command{
			Use: "check PLAN", Short: "Check a plan, explain it in words, print its exact commands",
			Args: oneArg("PLAN", "plan.toml"), RunE: func(_ *cobra.Command, args []string) error { return a.planCheck(args[0]) },
		},
		&cobra.Command{
			Use: "new [FILE]", Short: "Ask through a ticket and write its plan.toml",
			Args: atMostOneArg, RunE: func(cmd *cobra.Command, args []string) error { return a.planNew(cmd.Context(), args) },
		},
		&cobra.Command{
			Use: "schema", Short: "Print the JSON schema of plan.toml, for editors",
			Args: a.noArgs, RunE: func(*cobra.Command, []string) error {
				a.print(string(planfile.Schema()))
				return nil
			},
		},
	)
	return group
}

// oneArg wants exactly one word, called what.
func oneArg(what, example string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 {
			return nil
		}
		return &exit.Error{
			Code: exit.BadInput, Message: fmt.Sprintf("%s takes one %s, got %d words", cmd.CommandPath(), what, len(args)),
			Next: cmd.CommandPath() + " " + example,
		}
	}
}

func atMostOneArg(cmd *cobra.Command, args []string) error {
	if len(args) < 2 {
		return nil
	}
	return &exit.Error{Code: exit.BadInput, Message: fmt.Sprintf("%s takes one FILE, got %d words", cmd.CommandPath(), len(args)), Next: cmd.CommandPath() + " plan.toml"}
}

// readPlan reads and checks a plan; what is only worth a look is told as a warning.
func (a *app) readPlan(path string) (plan.Plan, error) {
	if path == "" {
		return plan.Plan{}, &exit.Error{Code: exit.BadInput, Message: "no plan was named with --plan; rpctl plan new asks its way through a ticket", Next: a.again("--plan", "plan.toml")}
	}
	p, warnings, err := planfile.Load(a.here(path))
	if err != nil {
		return p, err
	}
	for _, w := range warnings {
		a.emit(event.Event{Kind: event.Warning, Text: string(w)})
	}
	return p, nil
}

func (a *app) planCheck(path string) error {
	p, err := a.readPlan(path)
	if err != nil {
		return err
	}
	if a.flags.json {
		e := event.Event{Kind: event.Checked, Path: path, Digest: p.Digest(), Migration: &p}
		for _, step := range p.Steps() {
			e.Commands = append(e.Commands, step.Shell(false))
		}
		a.emit(e)
		return nil
	}
	var out strings.Builder
	planfile.Explain(&out, p)
	a.print(out.String())
	return nil
}

// planNew asks on standard error, so that the plan alone goes to standard output.
func (a *app) planNew(ctx context.Context, args []string) error {
	if len(args) > 0 {
		if _, err := os.Lstat(a.here(args[0])); err == nil {
			return &exit.Error{Code: exit.BadInput, Message: safe(args[0]) + " is there already", Next: "rpctl plan check " + planfile.Word(args[0])}
		}
		if err := migrate.Writable(a.here(args[0])); err != nil { // before the first question
			return err
		}
	}
	p, err := a.askPlan(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return &exit.Error{Code: exit.BadInput, Message: err.Error(), Next: a.again(), Err: err}
	}
	written := planfile.Format(p)
	if _, _, err := planfile.Parse("the new plan", written); err != nil {
		return &exit.Error{Code: exit.BadInput, Message: "the answers make no plan:\n" + err.Error(), Next: a.again(), Err: err}
	}
	if len(args) == 0 {
		a.print(string(written))
		return nil
	}
	if err := migrate.WriteNew(a.here(args[0]), written); err != nil {
		a.print(string(written)) // the answers must not be lost
		return err
	}
	a.emit(event.Event{Kind: event.Stored, Path: args[0], Digest: p.Digest(), Next: "rpctl plan check " + planfile.Word(args[0])})
	return nil
}

// askPlan ends with ctx, too: a read of the terminal does not end with Ctrl-C.
func (a *app) askPlan(ctx context.Context) (plan.Plan, error) {
	type reply struct {
		plan plan.Plan
		err  error
	}
	replies := make(chan reply, 1)
	go func() {
		p, err := planfile.Ask(a.Stdin, a.Stderr)
		replies <- reply{p, err}
	}()
	select {
	case got := <-replies:
		return got.plan, got.err
	case <-ctx.Done():
		return plan.Plan{}, ctx.Err()
	}
}
