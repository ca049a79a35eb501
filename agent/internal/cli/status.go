package cli

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/re-connect/rpctl/agent/internal/status"
	"github.com/re-connect/rpctl/proto"
)

func (s System) newStatusCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status [--json]",
		Short: "What runs here, from which release; exit status 0 says healthy, 1 not",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var now proto.Status
			if err := s.question(cmd.Context(), proto.OpStatus, nil, &now); err != nil {
				return err
			}
			if err := s.writeStatus(now, asJSON); err != nil {
				return err
			}
			if !now.Healthy() {
				return errBad
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object on one line")
	return cmd
}

func (s System) writeStatus(now proto.Status, asJSON bool) error {
	if asJSON {
		return writeJSON(s.Stdout, now)
	}
	return status.Render(s.Stdout, now, status.Options{Color: s.color(), Now: time.Now()})
}
