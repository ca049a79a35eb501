package cli

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/proto"
)

// newHistoryCommand is `history`, and `audit log` for those who look for it there.
func (s System) newHistoryCommand(name string) *cobra.Command {
	var asJSON bool
	var limit int
	cmd := &cobra.Command{
		Use:   name + " [-n 20] [--json]",
		Short: "The newest entries of the audit file, oldest first",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 || limit > proto.MaxHistory {
				return usage(fmt.Sprintf("-n %d is not between 1 and %d", limit, proto.MaxHistory), cmd.CommandPath()+" -n 20")
			}
			var history proto.History
			if err := s.question(cmd.Context(), proto.OpHistory, proto.HistoryArgs{Limit: limit}, &history); err != nil {
				return err
			}
			if asJSON {
				return writeJSON(s.Stdout, history)
			}
			return writeHistory(s.Stdout, history.Entries)
		},
	}
	cmd.Flags().IntVarP(&limit, "lines", "n", 20, "how many entries")
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object on one line")
	return cmd
}

func writeHistory(w io.Writer, entries []proto.AuditEntry) error {
	if len(entries) == 0 {
		_, err := fmt.Fprintln(w, "nothing was done on this host yet")
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, e := range entries {
		who := e.User
		if e.Operator != "" {
			who = e.Operator + " (" + e.User + ")"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", e.Time.Local().Format("2006-01-02 15:04:05"),
			printable.Line(e.Action), printable.Line(who), printable.Excerpt(told(e), 200))
	}
	return table.Flush()
}

// told is what an entry says beyond who did what.
func told(e proto.AuditEntry) string {
	var words []string
	for _, part := range []struct{ name, text string }{
		{"", e.Purpose}, {"", e.Result}, {"release ", e.Release}, {"revision ", e.Revision}, {"", e.Detail}, {"from ", e.From},
	} {
		if part.text != "" {
			words = append(words, part.name+part.text)
		}
	}
	return strings.Join(words, ", ")
}
