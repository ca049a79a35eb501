package cli

import (
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

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
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			plan, err := planSetup(cmd, host, uninstall)
			if err != nil {
				return writeSetup(cmd.OutOrStdout(), proto.SetupReport{Changes: []proto.SetupChange{}}, err, asJSON)
			}
			report := plan.Report()
			if !dryRun {
				// A login that is lost must not stop it between two changes.
				signal.Ignore(syscall.SIGHUP)
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
	if isTerminal(cmd.InOrStdin()) {
		return nil, usage("setup reads what this host shall be from its standard input, and that is a terminal: rpctl on your machine writes it",
			"rpctl agent install")
	}
	spec, err := setup.ReadSpec(cmd.InOrStdin())
	if err != nil {
		return nil, err
	}
	return setup.New(cmd.Context(), host, spec)
}

func isTerminal(r io.Reader) bool {
	file, ok := r.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// writeSetup shows the report and returns err, so that the exit status says it too.
func writeSetup(w io.Writer, report proto.SetupReport, err error, asJSON bool) error {
	var refused *proto.Error
	if errors.As(err, &refused) {
		report.Error = refused
	} else if err != nil {
		report.Error = &proto.Error{Code: proto.CodeHost, Message: proto.HostText(err.Error())}
	}
	show := func() error { return setup.WriteText(w, report) }
	if asJSON {
		show = func() error { return writeJSON(w, report) }
	}
	if shown := show(); err == nil {
		return shown
	}
	if refused != nil && refused.Code == proto.CodeBadRequest {
		return usage(string(refused.Message), textOf(refused)) // the spec is this command's input
	}
	return err
}
