package cli

import (
	"encoding/json"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/re-connect/rpctl/agent/internal/setup"
	"github.com/re-connect/rpctl/proto"
)

// newSetupCommand puts the agent on this host as root, as standard input says, or takes it away.
func newSetupCommand(host *setup.Host) *cobra.Command {
	var dryRun, asJSON, uninstall bool
	cmd := &cobra.Command{
		Use:   "setup [--dry-run] [--json] < spec.json",
		Short: "Put the agent on this host (as root), or take it away",
		Long: "Compares this host with the spec on standard input, shows what differs, and changes exactly that.\n" +
			"The spec comes from hosts.toml: rpctl agent install --env ENVIRONMENT does all of it over SSH.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			plan, err := planSetup(cmd, host, uninstall)
			if err != nil {
				return writeSetup(cmd.OutOrStdout(), proto.SetupReport{Changes: []proto.SetupChange{}}, err, asJSON)
			}
			report := plan.Report()
			if !dryRun {
				err = plan.Apply(cmd.Context())
				report.Applied = err == nil
			}
			return writeSetup(cmd.OutOrStdout(), report, err, asJSON)
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "show what would be changed, change nothing")
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object on one line")
	cmd.Flags().BoolVar(&uninstall, "uninstall", false, "remove the agent; state and audit stay")
	return cmd
}

func planSetup(cmd *cobra.Command, host *setup.Host, uninstall bool) (*setup.Plan, error) {
	if uninstall {
		return setup.NewUninstall(cmd.Context(), host)
	}
	spec, err := setup.ReadSpec(cmd.InOrStdin())
	if err != nil {
		return nil, err
	}
	return setup.New(cmd.Context(), host, spec)
}

// writeSetup shows the report and returns err, so that the exit status says it too.
func writeSetup(w io.Writer, report proto.SetupReport, err error, asJSON bool) error {
	if !asJSON {
		return errors.Join(setup.WriteText(w, report), err)
	}
	if err != nil && !errors.As(err, &report.Error) {
		report.Error = &proto.Error{Code: proto.CodeHost, Message: err.Error()}
	}
	return errors.Join(json.NewEncoder(w).Encode(report), err)
}
