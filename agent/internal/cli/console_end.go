package cli

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/re-connect/rpctl/agent/internal/jobs/console"
)

// newConsoleEndCommand records how a command ended, as root; ExecStopPost=+ of rp-agent-console@.service runs this.
func (s System) newConsoleEndCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "console-end RUN",
		Short:  "Record how a console command ended; rp-agent-console@.service runs this",
		Hidden: true,
		Args:   oneArgument("a run's id"),
		RunE: func(_ *cobra.Command, args []string) error {
			end := console.EndFromEnv(s.Getenv, time.Now())
			return console.FoldersIn(s.Paths.Console).WriteEnd(console.ID(args[0]), end)
		},
	}
}
