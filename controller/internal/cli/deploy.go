package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/re-connect/rpctl/controller/internal/deploy"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/inventory"
	"github.com/re-connect/rpctl/proto"
)

// changing is what deploy, rollback and restart have in common.
type changing struct {
	env         string
	dryRun, yes bool
	skip, only  []string
	batch       int
	wave        int
	maxFail     int
	unreviewed  string
}

func (a *app) deployCommand() *cobra.Command {
	var o changing
	cmd := &cobra.Command{
		Use:   "deploy --env ENVIRONMENT",
		Short: "Deploy an environment, restart its workers, prove that they run the new code",
		Long: "Deploy an environment: checks and leases on every host, the work tree brought up to date, the deploy\n" +
			"command of hosts.toml run here, the workers restarted and proved to run the new code.",
		Example: "  rpctl deploy --env preprod --dry-run\n  rpctl deploy --env preprod",
		Args:    a.noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			options, err := a.options(o)
			if err != nil {
				return err
			}
			world := a.world()
			if err := a.vouch(cmd.Context(), &world, options, o.unreviewed, false); err != nil {
				return err
			}
			return deploy.Deploy(cmd.Context(), world, options)
		},
	}
	a.changingFlags(cmd, &o)
	cmd.Flags().StringSliceVar(&o.skip, "skip", nil, "leave out steps: prepare, announce, health")
	unreviewedFlag(cmd, &o.unreviewed)
	return cmd
}

func (a *app) rollbackCommand() *cobra.Command {
	var o changing
	cmd := &cobra.Command{
		Use:   "rollback --env ENVIRONMENT",
		Short: "Run the rollback command, then restart and prove as deploy does",
		Args:  a.noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			options, err := a.options(o)
			if err != nil {
				return err
			}
			world := a.world()
			if err := a.vouch(cmd.Context(), &world, options, o.unreviewed, true); err != nil {
				return err
			}
			return deploy.Rollback(cmd.Context(), world, options)
		},
	}
	a.changingFlags(cmd, &o)
	cmd.Flags().StringSliceVar(&o.skip, "skip", nil, "leave out steps: announce, health")
	unreviewedFlag(cmd, &o.unreviewed)
	return cmd
}

func (a *app) restartCommand() *cobra.Command {
	var o changing
	cmd := &cobra.Command{
		Use:     "restart --env ENVIRONMENT",
		Short:   "Restart workers on the current release and prove what they run",
		Example: "  rpctl restart --env preprod --only 'messenger_worker_dmp@*'",
		Args:    a.noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			options, err := a.options(o)
			if err != nil {
				return err
			}
			return deploy.Restart(cmd.Context(), a.world(), options)
		},
	}
	a.changingFlags(cmd, &o)
	cmd.Flags().StringArrayVar(&o.only, "only", nil, "these workers only: a pattern of hosts.toml or one instance of it; may be repeated")
	return cmd
}

func (a *app) changingFlags(cmd *cobra.Command, o *changing) {
	a.envFlag(cmd, &o.env, "environment of hosts.toml")
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "change nothing, show what would happen")
	cmd.Flags().BoolVarP(&o.yes, "yes", "y", false, "do not ask for the environment's name")
	cmd.Flags().IntVar(&o.batch, "batch", 0, "units of one host that restart at the same time (0: all)")
	cmd.Flags().IntVar(&o.wave, "wave", 0, "hosts that restart at the same time, after the first alone (0: a tenth of them)")
	cmd.Flags().IntVar(&o.maxFail, "max-fail", 1, "touch no further host once so many have failed; a lost host does not count")
}

// options checks what was typed against hosts.toml.
func (a *app) options(o changing) (deploy.Options, error) {
	a.changes(!o.dryRun)
	environment, err := a.environment(o.env)
	if err != nil {
		return deploy.Options{}, err
	}
	if o.batch < 0 {
		return deploy.Options{}, &exit.Error{Code: exit.BadInput, Message: fmt.Sprintf("bad --batch %d: want 0 (all at once) or more", o.batch)}
	}
	if o.wave < 0 {
		return deploy.Options{}, &exit.Error{Code: exit.BadInput, Message: fmt.Sprintf("bad --wave %d: want 0 (a tenth) or more", o.wave)}
	}
	if o.maxFail < 1 {
		return deploy.Options{}, &exit.Error{Code: exit.BadInput, Message: fmt.Sprintf("bad --max-fail %d: want 1 or more", o.maxFail)}
	}
	only, err := patterns(environment, o.only)
	return deploy.Options{
		Environment: environment, Operator: a.operator(), DryRun: o.dryRun, Yes: o.yes, Skip: o.skip, Batch: o.batch, Wave: o.wave,
		MaxFail: o.maxFail, Only: only,
	}, err
}

// patterns finds what was typed among the environment's worker patterns, or as one instance of
// them; `.service` may be left out.
func patterns(environment inventory.Environment, typed []string) ([]proto.UnitPattern, error) {
	var only []proto.UnitPattern
	for _, word := range typed {
		pattern := proto.UnitPattern(strings.TrimSuffix(word, ".service") + ".service")
		known := func(p proto.UnitPattern) bool {
			return p == pattern || pattern.IsInstance() && p.Match(string(pattern))
		}
		if !slices.ContainsFunc(environment.Workers, known) {
			var all []string
			for _, p := range environment.Workers {
				all = append(all, string(p))
			}
			return nil, &exit.Error{
				Code:    exit.BadInput,
				Message: fmt.Sprintf("%q is no worker pattern of %s, nor an instance of one; it has: %s", word, environment.Name, strings.Join(all, ", ")),
				Next:    "rpctl status --env " + environment.Name,
			}
		}
		only = append(only, pattern)
	}
	return only, nil
}
