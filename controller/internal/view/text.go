package view

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/proto"
)

// channel is where the runbook sends the messages of a deploy.
const channel = "#équipe_technico_santé"

// text turns events into lines that stay.
type text struct {
	style
	width func() int
	step  string
}

func newText(o Options) text { return text{style: style{o.Color}, width: o.Width} }

// lines is what an event leaves behind, newline included; empty when it leaves nothing.
// Output is not among them: it passes as it is.
func (t *text) lines(e event.Event) string {
	switch e.Kind {
	case event.Begin:
		return t.begin(e)
	case event.Step:
		return t.stepLine(e)
	case event.Host:
		return t.host(e)
	case event.Verdict:
		return t.verdictLines(e)
	case event.Command:
		return t.command(e)
	case event.Plan:
		return t.plan(e)
	case event.Health:
		return "    " + printable.Line(e.Text) + "\n"
	case event.Message:
		return "\n    " + t.faint("for "+channel+", ready to copy:") + "\n\n" + e.Text + "\n\n"
	case event.Warning:
		return t.warning(e)
	case event.Summary:
		return t.summary(e)
	case event.Job, event.JobStep, event.Figures, event.Applied, event.Gates, event.Stored, event.Reported:
		return t.migration(e) + t.next(e)
	default:
		return ""
	}
}

func (t *text) begin(e event.Event) string {
	dry := ""
	if e.DryRun {
		dry = ", dry run: nothing is changed"
	}
	return t.bold(e.Operation+" "+e.Environment) + " (" + strings.Join(e.Hosts, ", ") + ") as " + printable.Line(e.Operator) + dry + "\n"
}

func (t *text) stepLine(e event.Event) string {
	switch e.State {
	case event.Began:
		t.step = e.Step
		turn := ""
		if e.Text != "" {
			turn = t.faint(" " + e.Text)
		}
		return t.bold("==> "+e.Step) + turn + "\n"
	case event.Skipped:
		return t.bold("==> "+e.Step) + t.faint(" skipped") + "\n"
	}
	if e.Result == "ok" {
		return "    " + t.good("ok") + t.faint(" "+took(e.DurationMS)) + "\n"
	}
	return "    " + t.bad(strings.ReplaceAll(e.Result, "_", " ")) + t.faint(" "+took(e.DurationMS)) + "\n"
}

func (t *text) host(e event.Event) string {
	line := "    " + e.Host + ": "
	switch e.State {
	case event.Lost, event.Bad:
		line += t.bad(string(e.State))
	case event.Busy:
		return line + printable.Line(e.Text) + "\n"
	default:
		line += string(e.State)
	}
	if e.Text != "" {
		line += ", " + printable.Line(e.Text)
	}
	if e.State == event.Leased && e.Release != nil {
		line += ", current is " + printable.Line(e.Release.Name)
	}
	if e.DurationMS > 0 {
		line += t.faint(" " + took(e.DurationMS))
	}
	return line + "\n"
}

func (t *text) verdictLines(e event.Event) string {
	v := e.Verdict
	line := fmt.Sprintf("    %s %s: %s: %s", t.verdict(*v), e.Host, printable.Line(v.Unit), printable.Line(string(v.Verdict)))
	if v.Why != "" {
		line += t.faint(" (" + string(v.Why) + ")")
	}
	line += "\n"
	for _, entry := range v.Journal {
		line += t.faint("        "+mark+fit(string(entry.Message), max(t.width()-8-len(mark), 20), t.width())) + "\n"
	}
	return line
}

func (t *text) command(e event.Event) string {
	sign := "    $ "
	if e.DryRun {
		sign = "    would run: "
	}
	return sign + printable.Line(strings.Join(e.Argv, " ")) + "\n"
}

func (t *text) plan(e event.Event) string {
	out := "    " + e.Host + " would restart:\n"
	if e.Release != nil {
		out = "    " + e.Host + " (current is " + printable.Line(e.Release.Name) + ") would restart:\n"
	}
	for _, p := range e.Plan {
		for _, unit := range p.Units {
			out += "        " + unitName(unit) + "\n"
		}
	}
	return out
}

// unitName is a unit's name on a line of its own: in quotes where it is none, and could pass for a line of rpctl's.
func unitName(unit string) string {
	if proto.UnitPattern(unit).IsInstance() {
		return unit
	}
	return `"` + printable.Line(unit) + `"`
}

func (t *text) warning(e event.Event) string {
	from := ""
	if e.Host != "" {
		from = e.Host + ": "
	}
	return t.warn("warning: ") + from + printable.Line(e.Text) + "\n" + t.next(e)
}

// next is what to type next, where an event says it.
func (t *text) next(e event.Event) string {
	if e.Next == "" {
		return Suggestion(e.Host, e.HostSuggests)
	}
	return "  next: " + printable.Line(e.Next) + "\n"
}

// Suggestion is a line with what a host would type next, in quotes and with the host's name: it is no advice of
// rpctl's. It is empty where the host suggests nothing.
func Suggestion(host string, text proto.HostText) string {
	if text == "" {
		return ""
	}
	const shown = 300
	quoted := strings.ReplaceAll(printable.Excerpt(string(text), shown), `"`, `\"`)
	return "  " + cmp.Or(host, "the host") + ` suggests: "` + quoted + "\"\n"
}

// unitLine is a unit on its way, in words.
func unitLine(host string, u proto.UnitProgress) string {
	line := host + ": " + printable.Line(u.Unit) + " " + printable.Line(string(u.Phase))
	if u.Detail != "" {
		line += " (" + string(u.Detail) + ")"
	}
	return line
}
