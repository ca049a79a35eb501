package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/re-connect/rpctl/internal/version"
	"github.com/re-connect/rpctl/proto"
)

func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Say which rp-agent this is",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "rp-agent %s (protocol %d to %d)\n", version.String(), proto.MinVersion, proto.Version)
			return err
		},
	}
}
