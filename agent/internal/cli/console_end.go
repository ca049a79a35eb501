package cli

import (
	"github.com/spf13/cobra"

	"github.com/re-connect/rpctl/agent/internal/host"
)

// newConsoleEndCommand records how a command ended, as root; ExecStopPost=+ of rp-agent-console@.service runs this.
func (s System) newConsoleEndCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "console-end RUN",
		Short:  "Record how a console command ended; rp-agent-console@.service runs this",
		Hidden: true,
		Args:   oneArgument("a run's id"),
		RunE: func(_ *cobra.Command, args []string) error {
			return host.ConsoleEnded(s.Paths, args[0], s.Getenv)
		},
	}
}
