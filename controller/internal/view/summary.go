package view

import (
	"cmp"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/internal/printable"
)

// summary is the table at the end: hosts, then steps with their durations.
func (t *text) summary(e event.Event) string {
	report := e.Summary
	var out strings.Builder
	out.WriteString("\n")
	if !e.DryRun {
		out.WriteString(t.hostTable(report.Hosts))
	}
	out.WriteString(t.problems(report.Hosts))
	for _, line := range steps(report.Steps, t.width()) {
		out.WriteString(t.faint(line) + "\n")
	}
	result := t.good(report.Operation + " " + report.Environment + ": ok")
	if report.Exit != 0 {
		result = t.bad(report.Operation + " " + report.Environment + ": " + strings.ReplaceAll(report.Result, "_", " "))
	}
	out.WriteString(result + " in " + took(report.DurationMS) + "\n")
	return out.String()
}

// units counts the workers that are well; a host whose workers were left alone, or not looked at, has nothing to count.
func units(h event.HostReport) string {
	if h.Code == "unchanged" || h.Code == "unknown" || h.Units == 0 {
		return "-"
	}
	return fmt.Sprintf("%d of %d well", h.Good, h.Units)
}

func (t *text) hostTable(hosts []event.HostReport) string {
	head := []cell{{"HOST", t.faint}, {"WORKERS RUN", t.faint}, {"RELEASE", t.faint}, {"UNITS", t.faint}}
	rows := [][]cell{head}
	for _, h := range hosts {
		paint := t.warn
		switch h.Code {
		case "new code":
			paint = t.good
		case "unchanged":
			paint = nil
		}
		release := printable.Line(h.Before)
		if h.After != h.Before {
			release = printable.Line(h.Before) + " → " + printable.Line(cmp.Or(h.After, "unknown"))
		}
		rows = append(rows, []cell{{h.Host, nil}, {h.Code, paint}, {release, nil}, {units(h), nil}})
	}
	return table(rows, t.width())
}

func (t *text) problems(hosts []event.HostReport) string {
	var out strings.Builder
	for _, h := range hosts {
		for _, problem := range h.Problems {
			out.WriteString("  " + h.Host + ": " + printable.Line(problem) + "\n")
		}
	}
	return out.String()
}

// steps is the durations in as few lines as fit: `preflight 1.2 s · local 3.0 s`.
func steps(all []event.StepReport, width int) []string {
	if width == 0 {
		width = defaultWidth // broken, not cut
	}
	var lines []string
	line := ""
	for _, s := range all {
		part := stepWords(s)
		switch {
		case line == "":
			line = part
		case utf8.RuneCountInString(line+" · "+part) > width:
			lines, line = append(lines, line), part
		default:
			line += " · " + part
		}
	}
	return append(lines, line)
}

func stepWords(s event.StepReport) string {
	switch s.Result {
	case "ok":
		return s.Step + " " + took(s.DurationMS)
	case "skipped", "not begun":
		return s.Step + " " + s.Result
	default:
		return s.Step + " " + took(s.DurationMS) + " (" + strings.ReplaceAll(s.Result, "_", " ") + ")"
	}
}
