package view

import (
	"fmt"
	"strings"
	"time"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/proto"
)

// Look is how a table is shown.
type Look struct {
	Color bool
	Width int // columns of the terminal; 0, where there is none, cuts nothing
	Now   time.Time
}

// statusHead is the columns of a status.
var statusHead = []string{"ENV", "HOST", "STATE", "RELEASE", "WORKERS", "LAST DEPLOY"}

// StatusTable is a line for each host, and below the table what is wrong and why.
func StatusTable(hosts []event.Event, look Look) string {
	s := style{look.Color}
	rows := [][]cell{head(s, statusHead...)}
	var details strings.Builder
	for _, e := range hosts {
		rows = append(rows, statusRow(e, s, look, &details))
	}
	return table(rows, look.Width) + details.String()
}

// statusRow is the line of one host; what is wrong with it goes to details.
func statusRow(e event.Event, s style, look Look, details *strings.Builder) []cell {
	if e.Error != nil {
		detail(details, e.Host, e.Error.Message)
		return []cell{{e.Environment, nil}, {e.Host, nil}, {"not asked", s.warn}, {"-", nil}, {"-", nil}, {"-", nil}}
	}
	state := cell{"healthy", s.good}
	if !e.Status.Healthy() {
		state = cell{"unhealthy", s.bad}
	}
	if e.Status.Lease != nil {
		state.text += ", held"
		detail(details, e.Host, held(*e.Status.Lease, look.Now))
	}
	for _, problem := range e.Status.Problems {
		detail(details, e.Host, problem)
	}
	return []cell{
		{e.Environment, nil}, {e.Host, nil}, state, {release(e.Status.Release), nil}, {workers(e.Status.Workers), nil},
		{lastDeploy(e.Status.LastDeploy, look.Now), nil},
	}
}

// StatusLines is a status that is shown line by line, as the hosts answer: of so many that
// nobody waits for the last one to see the first.
type StatusLines struct {
	look  Look
	ruler []cell // as wide as the columns: hosts are known beforehand, the rest has its usual width
}

// NewStatusLines is for hosts of these widths at most, in characters.
func NewStatusLines(environment, host int, look Look) *StatusLines {
	l := &StatusLines{look: look}
	for _, width := range []int{environment, host, len("unhealthy"), len("20261122 4d1f00d…"), len("99 of 99"), 0} {
		l.ruler = append(l.ruler, cell{strings.Repeat("-", width), nil})
	}
	return l
}

// Head is the line above the others.
func (l *StatusLines) Head() string { return l.line(head(style{l.look.Color}, statusHead...)) }

// Host is the line of one host, and below it what is wrong there.
func (l *StatusLines) Host(e event.Event) string {
	var details strings.Builder
	row := statusRow(e, style{l.look.Color}, l.look, &details)
	return l.line(row) + details.String()
}

func (l *StatusLines) line(row []cell) string {
	_, line, _ := strings.Cut(table([][]cell{l.ruler, row}, l.look.Width), "\n")
	return line
}

func head(s style, names ...string) []cell {
	var row []cell
	for _, name := range names {
		row = append(row, cell{name, s.faint})
	}
	return row
}

func detail(out *strings.Builder, host, text string) {
	fmt.Fprintf(out, "  %s: %s\n", host, printable.Line(text))
}

func held(by proto.Holder, now time.Time) string {
	return fmt.Sprintf("held by %s (login %s) for a %s since %s", by.Operator, by.User, by.Purpose, event.Ago(now.Sub(by.Since)))
}

func release(r *proto.Release) string {
	if r == nil {
		return "?"
	}
	if r.Revision == "" {
		return printable.Line(r.Name)
	}
	return printable.Line(r.Name) + " " + printable.Line(cut(r.Revision, 8))
}

// workers counts those that are at work and do not run old code.
func workers(all []proto.WorkerStatus) string {
	good := 0
	for _, w := range all {
		if w.Active == "active" && w.Code != proto.CodeOld {
			good++
		}
	}
	return fmt.Sprintf("%d of %d", good, len(all))
}

func lastDeploy(d *proto.DeployRecord, now time.Time) string {
	if d == nil {
		return "-"
	}
	at := d.Ended
	if at.IsZero() {
		at = d.Began
	}
	return printable.Line(fmt.Sprintf("%s %s, %s, %s", d.Kind, d.Result, d.Operator, event.Ago(now.Sub(at))))
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
	message := printable.Line(e.Log.Message)
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
	line := fmt.Sprintf("%s %s: %s: %s\n", sign, e.Host, printable.Line(e.Check.Name), printable.Line(e.Check.Detail))
	if !e.Check.OK && e.Check.Fix != "" {
		line += "       fix: " + printable.Line(e.Check.Fix) + "\n"
	}
	return line
}
