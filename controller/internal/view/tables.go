package view

import (
	"fmt"
	"strings"
	"time"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/internal/printable"
)

// Look is how a table is shown.
type Look struct {
	Color bool
	Width int // columns of the terminal; 0, where there is none, cuts nothing
	Now   time.Time
}

func head(s style, names ...string) []cell {
	var row []cell
	for _, name := range names {
		row = append(row, cell{name, s.faint})
	}
	return row
}

// HistoryTable is a line for each audit entry.
func HistoryTable(entries []event.Event, look Look) string {
	s := style{look.Color}
	rows := [][]cell{head(s, "TIME", "HOST", "ACTION", "RESULT", "WHO", "DETAIL")}
	for _, e := range entries {
		who := e.Audit.User
		if e.Audit.Operator != "" {
			who = e.Audit.Operator + " (" + e.Audit.User + ")"
		}
		rows = append(rows, []cell{
			{e.Audit.Time.Local().Format("2006-01-02 15:04:05"), nil}, {e.Host, nil}, {printable.Line(e.Audit.Action), nil},
			{printable.Line(e.Audit.Result), nil}, {printable.Line(who), nil}, {printable.Line(e.Audit.Detail), nil},
		})
	}
	return table(rows, look.Width)
}

// LogLine is one line of a journal. It is never cut: a log is searched.
func LogLine(e event.Event, look Look) string {
	const syslogError = 3 // LOG_ERR, syslog(3); smaller is worse
	s := style{look.Color}
	message := string(e.Log.Message)
	if e.Log.Priority <= syslogError {
		message = s.bad(message)
	}
	unit := strings.TrimSuffix(printable.Line(e.Log.Unit), ".service")
	return fmt.Sprintf("%s %s %s: %s\n", s.faint(e.Log.Time.Local().Format("15:04:05")), e.Host, unit, message)
}

// CheckLine is one assumption of doctor, with its fix where it failed.
func CheckLine(e event.Event, look Look) string {
	s := style{look.Color}
	sign := s.good("ok  ")
	switch {
	case e.Check.Skipped:
		sign = s.faint("skip")
	case !e.Check.OK:
		sign = s.bad("FAIL")
	}
	line := fmt.Sprintf("%s %s: %s: %s\n", sign, e.Host, string(e.Check.Name), string(e.Check.Detail))
	if !e.Check.OK && e.Check.Fix != "" {
		line += "       " + fixOf(e.Check.Fix) + ": " + printable.Line(e.Check.Fix) + "\n"
	}
	if !e.Check.OK {
		line += indent(Suggestion(e.Host, e.Check.HostSuggests))
	}
	return line
}

// indent moves a line below what it belongs to.
func indent(line string) string {
	if line == "" {
		return ""
	}
	return "     " + line
}

// fixOf says where a fix is typed, where that is not anywhere on this machine.
func fixOf(fix string) string {
	if strings.HasPrefix(fix, "git ") {
		return "fix (in the repository)"
	}
	return "fix"
}
