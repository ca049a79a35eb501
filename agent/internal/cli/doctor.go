package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/proto"
)

func (s System) newDoctorCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor [--json]",
		Short: "Check every assumption about this host, and say how to mend it",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var report proto.DoctorReport
			if err := s.question(cmd.Context(), proto.OpDoctor, nil, &report); err != nil {
				return noDoctor(err)
			}
			write := func() error { return writeChecks(s.Stdout, report.Checks) }
			if asJSON {
				write = func() error { return writeJSON(s.Stdout, report) }
			}
			if err := write(); err != nil {
				return err
			}
			if !report.OK() {
				return errBad
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object on one line")
	return cmd
}

// noDoctor is why the doctor itself cannot answer: the journal says more, where others would send to the doctor.
func noDoctor(err error) error {
	f := explain(err)
	if f.next != doctorVerb {
		return err
	}
	told := *f
	told.next = proto.Advice{Code: proto.AdviceRootLog}.Text()
	return &told
}

// writeChecks is a line for each check, and the fix below what failed.
func writeChecks(w io.Writer, checks []proto.Check) error {
	width := 0
	for _, c := range checks {
		width = max(width, len(c.Name))
	}
	for _, c := range checks {
		word := "ok"
		switch {
		case !c.OK:
			word = "FAIL"
		case c.Skipped:
			word = "skip"
		}
		if _, err := fmt.Fprintf(w, "%-4s  %-*s  %s\n", word, width, printable.Line(string(c.Name)), printable.Line(string(c.Detail))); err != nil {
			return err
		}
		if !c.OK && c.Fix != "" {
			if _, err := fmt.Fprintf(w, "      %*s  %s: %s\n", width, "", fixOf(c.Fix), printable.Line(c.Fix)); err != nil {
				return err
			}
		}
	}
	return nil
}

// fixOf says where a fix is typed, where that is not on this host.
func fixOf(fix string) string {
	switch program, _, _ := strings.Cut(fix, " "); program {
	case "rpctl":
		return "fix (on your machine)"
	case "git":
		return "fix (in the repository)"
	}
	return "fix"
}
