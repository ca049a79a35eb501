package cli

import (
	"github.com/spf13/cobra"

	"github.com/re-connect/rpctl/agent/internal/host"
	"github.com/re-connect/rpctl/agent/internal/jobs/console"
)

// newConsoleCommand becomes one console command, as the application's user; rp-agent-console@.service runs this.
func (s System) newConsoleCommand() *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use:    "console RUN",
		Short:  "Become one console command of the application; rp-agent-console@.service runs this",
		Hidden: true,
		Args:   oneArgument("a run's id"),
		RunE: func(_ *cobra.Command, args []string) error {
			return &failure{status: console.StatusNotRun, message: host.BecomeConsole(s.Paths, args[0], dryRun, s.Getenv).Error()}
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "refuse a run that is no dry run; rp-agent-dryrun@.service says so")
	return cmd
}
