package cli

import "github.com/spf13/cobra"

// agentCommand is the group of verbs that put rp-agent on hosts or take it away; each verb has a file.
func (a *app) agentCommand() *cobra.Command {
	return &cobra.Command{
		Use: "agent", Short: "Install, compare, upgrade or remove rp-agent on hosts",
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return cmd.Help()
		},
	}
}
