package view

import (
	"fmt"
	"strings"
	"time"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/proto"
)

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
		detail(details, e.Host, string(problem))
	}
	underWay(details, e, look.Now)
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

// underWay says which migrations run or wait on a host, which deploy nobody saw the end of, and
// what to type next.
func underWay(out *strings.Builder, e event.Event, now time.Time) {
	for _, job := range e.Status.Jobs {
		words := fmt.Sprintf("%s %s is %s, %d of %d steps done, by %s, %s",
			job.Kind, job.ID, job.State, job.Done(), len(job.Steps), job.Operator, event.Ago(now.Sub(job.Created)))
		switch {
		case job.CancelNow:
			words += ", asked to stop at once"
		case job.CancelAsked:
			words += ", asked to stop before its next step"
		}
		detail(out, e.Host, words)
	}
	for _, plan := range e.Status.Plans {
		if words := standing(plan); words != "" && len(plan.Waiting) == 0 {
			detail(out, e.Host, words)
		}
	}
	if last := e.Status.LastDeploy; last != nil && last.Result == proto.ResultUnknown {
		detail(out, e.Host, fmt.Sprintf("nobody saw the end of the %s of %s: its rpctl was killed, or lost the host", last.Kind, last.Operator))
	}
	if e.Next != "" {
		out.WriteString("    next: " + printable.Line(e.Next) + "\n")
	}
}

// standing is a plan that is not done and has no job. One that was only simulated waits for nobody
// here, and one that waits for an operator's word is among the host's problems.
func standing(p proto.PlanState) string {
	if p.Job != "" || p.State != "begun" && p.State != "approved" && p.BreakGlass == "" {
		return ""
	}
	words := fmt.Sprintf("plan of %s (%s) is %s, %d of %d steps verified", p.Centre, p.Ticket, p.State, p.Verified, p.Steps)
	if p.BreakGlass != "" {
		words += string("; THE GLASS WAS BROKEN: " + p.BreakGlass)
	}
	return words
}
