package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/re-connect/rpctl/proto"
)

func (s System) newClockResetCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "clock-reset",
		Short: "Accept this host's clock as it is now, as root: gate 10 forgets the newer times of the audit",
		Long: "Gate 10 (clock) refuses plans while the clock is behind the newest time of the audit: it was turned back, or it\n" +
			"was wrong when that entry was written. Root accepts it with this command once timedatectl shows that it is right.\n" +
			"The audit keeps that. An approval that expired meanwhile counts again where the clock is not right.",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var reset proto.ClockReset
			if err := s.question(cmd.Context(), proto.OpClockReset, struct{}{}, &reset); err != nil {
				return err
			}
			_, err := fmt.Fprintf(s.Stdout, "the clock counts from %s on; the newest time of the audit was %s\n",
				reset.Now.UTC().Format(time.RFC3339), reset.Before.UTC().Format(time.RFC3339))
			return err
		},
	}
}
