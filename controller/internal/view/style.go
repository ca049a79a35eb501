package view

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/re-connect/rpctl/proto"
)

// style colours words, or does not.
type style struct{ on bool }

func (s style) paint(code, text string) string {
	if !s.on || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s style) good(text string) string  { return s.paint("32", text) }
func (s style) bad(text string) string   { return s.paint("31", text) }
func (s style) warn(text string) string  { return s.paint("33", text) }
func (s style) faint(text string) string { return s.paint("2", text) }
func (s style) bold(text string) string  { return s.paint("1", text) }

// verdict is the colour and sign of a verdict.
func (s style) verdict(v proto.UnitVerdict) string {
	switch {
	case v.Verdict == proto.VerdictProved:
		return s.good("✓")
	case v.OK():
		return s.warn("~")
	default:
		return s.bad("✗")
	}
}

// took is a duration in the unit that a reader wants.
func took(ms int64) string {
	d := time.Duration(ms) * time.Millisecond
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", ms)
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	default:
		return fmt.Sprintf("%d min %02d s", int(d.Minutes()), int(d.Seconds())%60)
	}
}

// bar is a progress bar of width cells.
func bar(done, total int64, width int) string {
	if total <= 0 {
		return ""
	}
	full := int(min(max(done, 0), total) * int64(width) / total)
	return strings.Repeat("█", full) + strings.Repeat("░", width-full)
}

// fit is cut for where there is a terminal; with width 0 nothing is cut.
func fit(text string, most, width int) string {
	if width == 0 {
		return text
	}
	return cut(text, most)
}

// cut shortens a line without colours to at most width characters.
func cut(line string, width int) string {
	if utf8.RuneCountInString(line) <= width {
		return line
	}
	if width < 1 {
		return ""
	}
	return string([]rune(line)[:width-1]) + "…"
}

// cell is a table's cell: what is shown, and how it is coloured.
type cell struct {
	text  string
	paint func(string) string
}

// table lays out rows in columns, two blanks between them. The last column is cut at width, unless that is 0.
func table(rows [][]cell, width int) string {
	var widths []int
	for _, row := range rows {
		for i, c := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(c.text))
		}
	}
	var out strings.Builder
	for _, row := range rows {
		left := width
		var line strings.Builder
		for i, c := range row {
			text := fit(c.text, max(left, 8), width)
			left -= widths[i] + 2
			pad := ""
			if i < len(row)-1 {
				pad = strings.Repeat(" ", max(0, widths[i]-utf8.RuneCountInString(text))+2)
			}
			if c.paint != nil {
				text = c.paint(text)
			}
			line.WriteString(text + pad)
		}
		out.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return out.String()
}
