package cli

import (
	"cmp"

	"github.com/spf13/cobra"

	"github.com/re-connect/rpctl/controller/internal/migrate"
)

func (a *app) migrateRevokeCommand() *cobra.Command {
	var m migrating
	var with migrate.Revoking
	cmd := &cobra.Command{
		Use: "revoke --plan PLAN --env ENVIRONMENT", Short: "Withdraw what was approved so far",
		Long: "Sign with your SSH key that no approval of this plan up to now counts on the environment, and bring that to the host.\n" +
			"Every key that may approve may revoke. An approval that was signed before and is handed in later does not count\n" +
			"either; a newer one does. A job that runs stops before its next step.",
		Example: "  rpctl migrate revoke --plan plan.toml --env prod --reason 'a centre is wrong'",
		Args:    a.noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a.changes(true)
			options, err := a.migrateOptions(m)
			if err != nil {
				return err
			}
			with.By = cmp.Or(with.By, a.operator())
			return migrate.Revoke(cmd.Context(), a.migrateWorld(), options, with)
		},
	}
	a.migratingFlags(cmd, &m)
	a.keyFlag(cmd, &m)
	cmd.Flags().StringVar(&with.By, "by", "", "the approver's name (default: you)")
	cmd.Flags().StringVar(&with.Reason, "reason", "", "why, for those who read the audit")
	return cmd
}
