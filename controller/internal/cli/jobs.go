package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/migrate"
	"github.com/re-connect/rpctl/controller/internal/view"
	"github.com/re-connect/rpctl/proto"
)

func (a *app) jobsCommand() *cobra.Command {
	var env string
	var limit int
	cmd := &cobra.Command{
		Use: "jobs --env ENVIRONMENT", Short: "List the newest jobs of an environment's console host",
		Args: a.noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 || limit > proto.MaxJobs {
				return &exit.Error{Code: exit.BadInput, Message: fmt.Sprintf("bad -n %d: want 1 to %d", limit, proto.MaxJobs)}
			}
			environment, err := a.environment(env)
			if err != nil {
				return err
			}
			to, jobs, err := migrate.Jobs(cmd.Context(), a.migrateWorld(), environment, limit)
			if err != nil {
				return err
			}
			if !a.flags.json {
				a.print(view.JobsTable(jobs, a.look()))
				return nil
			}
			for _, job := range jobs {
				a.emit(event.Event{Kind: event.Job, Environment: to.Environment, Host: to.Host, Job: &job})
			}
			return nil
		},
	}
	a.envFlag(cmd, &env, "environment of hosts.toml")
	cmd.Flags().IntVarP(&limit, "lines", "n", 20, "newest jobs")
	return cmd
}

func (a *app) attachCommand() *cobra.Command {
	var env, from string
	var raw bool
	cmd := &cobra.Command{
		Use: "attach JOB --env ENVIRONMENT", Short: "Follow a job's output until it ends",
		Long: "Follow a job's output until it ends. A lost connection is made again and goes on at the byte; Ctrl-C asks whether to\n" +
			"detach, to cancel the job before its next step or to go on, and never kills what runs.\n\n" + followHelp,
		Args: oneJob(&env),
		RunE: func(cmd *cobra.Command, args []string) error {
			start, err := migrate.ParseFrom(from)
			if err != nil {
				failure := *exit.From(err)
				failure.Next = a.instead(from, "start")
				return &failure
			}
			id, err := migrate.CheckID(args[0], env)
			if err != nil {
				return err
			}
			environment, err := a.environment(env)
			if err != nil {
				return err
			}
			a.following(raw)
			return migrate.Attach(cmd.Context(), a.migrateWorld(), environment, id, start)
		},
	}
	a.envFlag(cmd, &env, "environment of hosts.toml")
	cmd.Flags().StringVar(&from, "from", "start", "start, end, or the byte to begin at: of stdout, or of stdout and stderr (4096,0)")
	cmd.Flags().BoolVar(&raw, "raw", false, rawHelp)
	return cmd
}

func (a *app) cancelCommand() *cobra.Command {
	var env string
	var now bool
	cmd := &cobra.Command{
		Use: "cancel JOB --env ENVIRONMENT", Short: "Ask a job to stop before its next step",
		Args: oneJob(&env),
		RunE: func(cmd *cobra.Command, args []string) error {
			a.changes(true)
			id, err := migrate.CheckID(args[0], env)
			if err != nil {
				return err
			}
			environment, err := a.environment(env)
			if err != nil {
				return err
			}
			return migrate.Cancel(cmd.Context(), a.migrateWorld(), environment, id, now)
		},
	}
	a.envFlag(cmd, &env, "environment of hosts.toml")
	cmd.Flags().BoolVar(&now, "now", false, "stop the running console command, too: its step is then half done")
	return cmd
}

// oneJob wants exactly one job's id; who has none at hand finds it in the list of the environment that was typed.
func oneJob(env *string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 {
			return nil
		}
		next := "rpctl status" // of all environments
		if *env != "" {
			next = "rpctl jobs --env " + exit.Word(*env)
		}
		return &exit.Error{Code: exit.BadInput, Message: fmt.Sprintf("%s takes one JOB, got %d words", cmd.CommandPath(), len(args)), Next: next}
	}
}
