package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/fleet"
	"github.com/re-connect/rpctl/controller/internal/inventory"
	"github.com/re-connect/rpctl/controller/internal/view"
	"github.com/re-connect/rpctl/proto"
)

func (a *app) historyCommand() *cobra.Command {
	var env string
	var limit int
	var accept bool
	cmd := &cobra.Command{
		Use:   "history --env ENVIRONMENT",
		Short: "Show what the hosts' audit files say: who did what, when, with which result",
		Args:  a.noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 || limit > proto.MaxHistory {
				return &exit.Error{Code: exit.BadInput, Message: fmt.Sprintf("bad -n %d: want 1 to %d", limit, proto.MaxHistory)}
			}
			if accept {
				environment, err := a.environment(env)
				if err != nil {
					return err
				}
				return a.acceptAudits(cmd.Context(), targets([]inventory.Environment{environment}))
			}
			return a.history(cmd.Context(), env, limit)
		},
	}
	a.envFlag(cmd, &env, "environment of hosts.toml")
	cmd.Flags().IntVarP(&limit, "lines", "n", 20, "entries of each host")
	cmd.Flags().BoolVar(&accept, "accept-audit", false, "take the hosts' audits as they are now for what was seen before, after a new installation or once you know why they differ")
	return cmd
}

func (a *app) history(ctx context.Context, env string, limit int) error {
	environment, err := a.environment(env)
	if err != nil {
		return err
	}
	all := targets([]inventory.Environment{environment})
	var shown []event.Event // for the table, which has the order of hosts.toml
	results := ask(ctx, a, all, proto.OpHistory, proto.HistoryArgs{Limit: limit}, func(r fleet.Result[proto.History]) {
		if r.Err != nil {
			a.hostWarning(r.Target, r.Err)
			return
		}
		for _, entry := range r.Value.Entries {
			e := event.Event{Kind: event.History, Environment: r.Target.Environment, Host: r.Target.Host, Audit: &entry}
			if a.flags.json {
				a.emit(e)
			} else {
				shown = append(shown, e)
			}
		}
	})
	if !a.flags.json {
		a.print(view.HistoryTable(inOrder(shown, results), a.look()))
	}
	return unasked(ctx, results)
}

// hostWarning says that one of several hosts could not be asked.
func (a *app) hostWarning(target fleet.Target, err error) {
	failure := exit.From(err)
	a.emit(event.Event{
		Kind: event.Warning, Environment: target.Environment, Host: target.Host, Text: failure.Message, Error: told(failure),
	})
}
