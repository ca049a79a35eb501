package symfony

import (
	"fmt"
	"slices"
	"strings"
)

// Cell is the lines of one cell: more than one where the table wrapped it, or
// where the text had a newline.
type Cell []string

// String is the cell's text with its lines joined by a space.
func (c Cell) String() string { return strings.Join(c, " ") }

// Is says whether the cell holds text, wherever the table may have broken it.
func (c Cell) Is(text string) bool {
	squeeze := func(s string) string { return strings.Join(strings.Fields(s), "") }
	if len(c) <= 1 {
		return c.String() == strings.TrimSpace(text)
	}
	return squeeze(c.String()) == squeeze(text)
}

// Table finds the one table with these headers. It returns no rows and no error
// when there is none, and an error when there is more than one, or one that
// cannot be read for certain.
func Table(lines []string, headers []string) ([][]Cell, error) {
	var found [][]Cell
	tables := 0
	for i := 0; i < len(lines); i++ {
		rows, used, err := tableAt(lines[i:], headers)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		if used == 0 {
			continue
		}
		found, tables = rows, tables+1
		i += used - 1
	}
	if tables > 1 {
		return nil, fmt.Errorf("the table %q is there %d times", strings.Join(headers, " | "), tables)
	}
	return found, nil
}

// tableAt reads a table that starts at the first line, and says how many lines it used: 0 for none.
func tableAt(lines []string, headers []string) ([][]Cell, int, error) {
	if columns, ok := ruled(lines[0]); ok && len(columns) == len(headers) {
		return ruledTable(lines, columns, headers)
	}
	return compactTable(lines, headers)
}

// ruledTable reads the styles that draw rules: default, box, box-double,
// borderless and symfony-style-guide. The first rule tells where the columns are.
func ruledTable(lines []string, columns []span, headers []string) ([][]Cell, int, error) {
	block := [][]Cell{} // head, then body
	var current []Cell
	for i, line := range lines[1:] {
		if again, ok := ruled(line); ok && slices.Equal(again, columns) {
			block = append(block, current)
			current = nil
			if len(block) == 1 && !isHeader(block[0], headers) {
				return nil, 0, nil
			}
			if len(block) == 1 {
				continue
			}
			rows, err := joinRows(block[1], len(headers))
			return rows, i + 2, err
		}
		cells, ok := cut(line, columns)
		if !ok {
			if len(block) == 1 {
				return nil, 0, fmt.Errorf("this line does not fit the table's columns: %q", line)
			}
			return nil, 0, nil
		}
		current = append(current, cells...)
	}
	if len(block) == 1 {
		return nil, 0, fmt.Errorf("the table %q has no end", strings.Join(headers, " | "))
	}
	return nil, 0, nil
}

// isHeader says whether the lines of a head, put together, are the headers.
func isHeader(head []Cell, headers []string) bool {
	width := len(headers)
	for column, want := range headers {
		var cell Cell
		for at := column; at < len(head); at += width {
			if text := head[at].String(); text != "" {
				cell = append(cell, text)
			}
		}
		if !cell.Is(want) {
			return false
		}
	}
	return len(head) > 0
}

// joinRows puts the lines of wrapped cells together: a line whose first cell is empty goes on with the row above.
func joinRows(cells []Cell, width int) ([][]Cell, error) {
	var rows [][]Cell
	for line := range slices.Chunk(cells, width) {
		if line[0].String() != "" {
			rows = append(rows, slices.Clone(line))
			continue
		}
		if len(rows) == 0 {
			return nil, fmt.Errorf("the table's first row has an empty first cell")
		}
		row := rows[len(rows)-1]
		for column, cell := range line {
			if cell.String() != "" {
				row[column] = append(slices.Clone(row[column]), cell...)
			}
		}
	}
	return rows, nil
}
