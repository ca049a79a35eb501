package console

import (
	"strings"
	"unicode"
)

// tableStyle is a style of Symfony's Table: the characters of the rules,
// the borders, and the crossings from left to right of each rule.
type tableStyle struct {
	outer               string    // of the rules; none are drawn where it is empty
	side, between       string    // the borders of a row
	top, middle, bottom [3]string // left, crossing, right
	before, after       string
	plainHeader         bool
}

func drawn(rule, border, crossing string) tableStyle {
	all := [3]string{crossing, crossing, crossing}
	return tableStyle{outer: rule, side: border, between: border, top: all, middle: all, bottom: all, before: " ", after: " "}
}

// styles are those that Symfony knows by name.
var styles = map[string]tableStyle{
	"default":             drawn("-", "|", "+"),
	"borderless":          drawn("=", " ", " "),
	"compact":             {after: " "},
	"symfony-style-guide": plainHeader(drawn("-", " ", " ")),
	"box": {outer: "─", side: "│", between: "│", before: " ", after: " ",
		top: [3]string{"┌", "┬", "┐"}, middle: [3]string{"├", "┼", "┤"}, bottom: [3]string{"└", "┴", "┘"}},
	"box-double": {outer: "═", side: "║", between: "│", before: " ", after: " ",
		top: [3]string{"╔", "╤", "╗"}, middle: [3]string{"╠", "╪", "╣"}, bottom: [3]string{"╚", "╧", "╝"}},
}

func plainHeader(s tableStyle) tableStyle {
	s.plainHeader = true
	return s
}

// table is what Symfony's Table prints. A cell may have several lines.
type table struct {
	style   tableStyle
	headers []string
	rows    [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) render(out output) {
	widths := t.widths()
	t.rule(out, widths, t.style.top)
	t.row(out, widths, t.headers, !t.style.plainHeader)
	t.rule(out, widths, t.style.middle)
	for _, row := range t.rows {
		t.row(out, widths, row, false)
	}
	t.rule(out, widths, t.style.bottom)
}

func (t *table) widths() []int {
	widths := make([]int, len(t.headers))
	for _, row := range append([][]string{t.headers}, t.rows...) {
		for column, cell := range row {
			for line := range strings.SplitSeq(cell, "\n") {
				widths[column] = max(widths[column], screenWidth(line))
			}
		}
	}
	return widths
}

func (t *table) rule(out output, widths []int, crossings [3]string) {
	if t.style.outer == "" {
		return
	}
	blanks := len(t.style.before + t.style.after)
	parts := make([]string, len(widths))
	for i, width := range widths {
		parts[i] = strings.Repeat(t.style.outer, width+blanks)
	}
	out.line(crossings[0] + strings.Join(parts, crossings[1]) + crossings[2])
}

// row prints a row, in as many lines as its tallest cell has.
func (t *table) row(out output, widths []int, row []string, green bool) {
	for at := 0; ; at++ {
		cells := make([]string, len(row))
		there := false
		for column, cell := range row {
			text := ""
			if lines := strings.Split(cell, "\n"); at < len(lines) {
				text, there = lines[at], true
			}
			text = t.style.before + text + strings.Repeat(" ", widths[column]-screenWidth(text)) + t.style.after
			if green {
				text = out.styled(infoStyle, text)
			}
			cells[column] = text
		}
		if !there {
			return
		}
		out.line(t.style.side + strings.Join(cells, t.style.between) + t.style.side)
	}
}

// screenWidth is how many columns a line takes: two for a wide character, none for a combining one.
func screenWidth(line string) int {
	columns := 0
	for _, r := range line {
		switch {
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		case unicode.In(r, unicode.Han, unicode.Hangul, unicode.Hiragana, unicode.Katakana):
			columns += 2
		default:
			columns++
		}
	}
	return columns
}

// wrap breaks a text at its blanks so that no line is wider than width, where that is possible; 0 is no limit.
func wrap(text string, width int) string {
	if width == 0 {
		return text
	}
	var lines []string
	for _, word := range strings.Split(text, " ") {
		if last := len(lines) - 1; last >= 0 && screenWidth(lines[last])+1+screenWidth(word) <= width {
			lines[last] += " " + word
			continue
		}
		lines = append(lines, word)
	}
	return strings.Join(lines, "\n")
}
