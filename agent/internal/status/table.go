package status

import (
	"fmt"
	"strings"
	"time"

	"github.com/re-connect/rpctl/proto"
)

// The widths of the columns after the unit's name; two spaces stand between columns.
const (
	stateWidth    = 12
	sinceWidth    = 6
	pidWidth      = 7
	restartsWidth = 4
	memoryWidth   = 6
	codeWidth     = 7
	besides       = stateWidth + sinceWidth + pidWidth + restartsWidth + memoryWidth + codeWidth + 6*2
)

func (p *page) table(workers []proto.WorkerStatus) {
	if len(workers) == 0 {
		p.line("no worker instance on this host")
		p.line("")
		return
	}
	unitWidth := len("UNIT")
	for _, w := range workers {
		unitWidth = max(unitWidth, columns(unitName(w.Unit)))
	}
	unitWidth = min(unitWidth, p.Width-besides)
	p.row(unitWidth, "", "UNIT", "STATE", "SINCE", "PID", "RST", "MEMORY", "CODE")
	for _, w := range workers {
		p.row(unitWidth, colour(w), unitName(w.Unit), state(w), p.since(w.Since), number(w.PID),
			fmt.Sprint(w.Restarts), memory(w.Memory), w.Code)
	}
	p.line("")
}

func (p *page) row(unitWidth int, colour string, unit, state, since, pid, restarts, memory, code string) {
	cells := []string{
		padRight(middle(unit, unitWidth), unitWidth), padRight(fit(state, stateWidth), stateWidth),
		padLeft(since, sinceWidth), padLeft(pid, pidWidth), padLeft(fit(restarts, restartsWidth), restartsWidth),
		padLeft(memory, memoryWidth), fit(code, codeWidth),
	}
	p.line(p.paint(colour, strings.TrimRight(strings.Join(cells, "  "), " ")))
}

// unitName leaves out what all of them end in.
func unitName(unit string) string { return strings.TrimSuffix(unit, ".service") }

// state is systemd's SubState, or the ActiveState where that says more.
func state(w proto.WorkerStatus) string {
	switch w.Active {
	case "failed", "inactive":
		return w.Active
	case "":
		return "unknown"
	}
	return w.Sub
}

func colour(w proto.WorkerStatus) string {
	switch {
	case w.Active != "active":
		return red
	case w.Code == proto.CodeOld:
		return red
	case w.Code == proto.CodeUnknown:
		return yellow
	}
	return ""
}

func (p *page) since(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return age(p.Now.Sub(t))
}

func number(n uint32) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

// memory is bytes in at most six columns.
func memory(bytes uint64) string {
	if bytes == 0 {
		return "-"
	}
	value, unit := float64(bytes)/(1<<20), "M"
	if value >= 1000 {
		value, unit = value/1024, "G"
	}
	return fmt.Sprintf("%.1f%s", value, unit)
}

// age is a duration in at most six columns.
func age(d time.Duration) string {
	switch {
	case d < 0:
		return "0s"
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd", min(int(d.Hours()/24), 99999))
}
