package symfony

import (
	"fmt"
	"slices"
	"strings"
)

// compactTable reads the style "compact", which draws nothing: the headers tell
// where the columns are, one blank parts them, and the table ends with the first
// line that does not fit.
func compactTable(lines []string, headers []string) ([][]Cell, int, error) {
	columns, used := compactHeader(lines, headers)
	if used == 0 {
		return nil, 0, nil
	}
	var cells []Cell
	for _, line := range lines[used:] {
		row, ok := cutCompact(line, columns)
		if !ok {
			break
		}
		cells = append(cells, row...)
		used++
	}
	if row := resumed(lines[used:], columns); row != "" {
		return nil, 0, fmt.Errorf("a row stands apart from its table: %q", row)
	}
	rows, err := joinRows(cells, len(headers))
	return rows, used, err
}

// resumed is the first line behind a table that is a row of it all the same: it begins with a number and
// has text in each column. Something stood between the rows, and where the table ends cannot be told.
func resumed(lines []string, columns []span) string {
	for _, line := range lines {
		if first, _, _ := strings.Cut(line, " "); first == "" || strings.Trim(first, "0123456789") != "" {
			continue
		}
		row, ok := cutCompact(line, columns)
		if ok && !slices.ContainsFunc(row, func(c Cell) bool { return c.String() == "" }) {
			return line
		}
	}
	return ""
}

// compactHeader finds the columns in a head of one line, or of several where
// headers were wrapped.
func compactHeader(lines []string, headers []string) ([]span, int) {
	if first, _, _ := strings.Cut(headers[0], " "); !strings.HasPrefix(lines[0], first) {
		return nil, 0
	}
	columns := headerColumns(lines[0], headers)
	if columns == nil {
		return nil, 0
	}
	var head []Cell
	for i, line := range lines[:min(len(lines), 4)] {
		row, ok := cutCompact(line, columns)
		if !ok {
			return nil, 0
		}
		head = append(head, row...)
		if isHeader(head, headers) {
			return columns, i + 1
		}
	}
	return nil, 0
}

// headerColumns is where each header, or its first words, begins in a line.
func headerColumns(line string, headers []string) []span {
	var columns []span
	rest, at := line, 0
	for i, header := range headers {
		words := strings.Fields(header)
		length := 0
		for count := len(words); count > 0 && length == 0; count-- {
			start := strings.Join(words[:count], " ")
			if after, ok := strings.CutPrefix(rest, start); ok && (after == "" || after[0] == ' ') {
				length = len(start)
			}
		}
		if length == 0 {
			return nil
		}
		blank := len(rest[length:]) - len(strings.TrimLeft(rest[length:], " "))
		width := len(screenOf(rest[:length])) + blank
		if i == len(headers)-1 {
			return append(columns, span{at, 1 << 16})
		}
		columns = append(columns, span{at, at + width})
		rest, at = rest[length+blank:], at+width
	}
	return columns
}

// cutCompact takes the columns out of a line: each but the last ends in a blank, and the first or
// another has text.
func cutCompact(line string, columns []span) ([]Cell, bool) {
	screen := screenOf(line)
	cells := make([]Cell, len(columns))
	for i, column := range columns {
		inside := screen.text(column.from, column.to)
		last := i == len(columns)-1
		if !last && !strings.HasSuffix(inside, " ") || strings.HasPrefix(inside, " ") && strings.TrimSpace(inside) != "" {
			return nil, false
		}
		cells[i] = Cell{strings.TrimSpace(inside)}
	}
	return cells, strings.TrimSpace(line) != ""
}
