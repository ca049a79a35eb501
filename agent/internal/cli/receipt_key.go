package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/re-connect/rpctl/agent/internal/setup"
	"github.com/re-connect/rpctl/proto"
)

// newReceiptKeyCommand prints the public half of the key that receipts of this host are signed with.
func newReceiptKeyCommand(host *setup.Host) *cobra.Command {
	return &cobra.Command{
		Use:   "receipt-key",
		Short: "Print the name and the public key that this host's receipts are signed with (as root)",
		Long: "Prints one JSON object: the host's name as its receipts have it, and the public half of its receipt key.\n" +
			"rpctl agent pin --env ENVIRONMENT reads it over SSH and writes it into trusted_hosts.",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			key, err := host.ReceiptKey(cmd.Context())
			if err != nil && !errors.As(err, &key.Error) {
				key.Error = &proto.Error{Code: proto.CodeHost, Message: proto.HostText(err.Error())}
			}
			if shown := writeJSON(cmd.OutOrStdout(), key); err == nil {
				return shown
			}
			return err
		},
	}
}
