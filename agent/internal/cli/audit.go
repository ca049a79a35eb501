package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/proto"
)

func (s System) newAuditCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "What was done on this host, and whether that record is whole",
		Args:  unknownVerb,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(s.newAuditVerifyCommand(), s.newHistoryCommand("log"))
	return cmd
}

func (s System) newAuditVerifyCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "verify [--json]",
		Short: "Check the chain of the audit file; exit status 0 says that it holds",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var report proto.AuditReport
			if err := s.question(cmd.Context(), proto.OpAuditVerify, nil, &report); err != nil {
				return err
			}
			if err := s.writeReport(report, asJSON); err != nil {
				return err
			}
			if !report.OK {
				return errBad
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object on one line")
	return cmd
}

func (s System) writeReport(report proto.AuditReport, asJSON bool) error {
	if asJSON {
		return writeJSON(s.Stdout, report)
	}
	word := "the chain holds"
	if !report.OK {
		word = "THE CHAIN IS BROKEN"
	}
	_, err := fmt.Fprintf(s.Stdout, "%s: %d entries, head %s\n", word, report.Entries, orDash(report.Head))
	if err == nil && report.Problem != "" {
		_, err = fmt.Fprintf(s.Stdout, "  %s\n", printable.Line(string(report.Problem)))
	}
	return err
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return printable.Line(text)
}
