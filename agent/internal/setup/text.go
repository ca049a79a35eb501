package setup

import (
	"fmt"
	"io"
	"strings"

	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/proto"
)

// WriteText shows a report to a person: one line a change, then the notes.
func WriteText(w io.Writer, report proto.SetupReport) error {
	var out strings.Builder
	for _, change := range report.Changes {
		fmt.Fprintf(&out, "%-8s %s", change.Action, printable.Line(change.Target))
		if change.Detail != "" {
			fmt.Fprintf(&out, "  (%s)", printable.Line(change.Detail))
		}
		out.WriteByte('\n')
		for _, difference := range change.Differences {
			fmt.Fprintf(&out, "         %s", printable.Line(difference.String()))
			if difference.Effect != "" {
				fmt.Fprintf(&out, "  (%s)", difference.Effect)
			}
			out.WriteByte('\n')
		}
		for _, line := range change.Text {
			fmt.Fprintf(&out, "         | %s\n", printable.Line(line))
		}
	}
	for _, note := range report.Notes {
		fmt.Fprintf(&out, "note: %s\n", printable.Line(note))
	}
	switch {
	case report.Error != nil:
	case len(report.Changes) == 0:
		out.WriteString("nothing to change\n")
	case report.Applied:
		fmt.Fprintf(&out, "done: %d changes\n", len(report.Changes))
	default:
		fmt.Fprintf(&out, "dry run: %d changes would be made\n", len(report.Changes))
	}
	_, err := io.WriteString(w, out.String())
	return err
}
