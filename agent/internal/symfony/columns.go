package symfony

import (
	"strings"

	"github.com/clipperhouse/displaywidth"
)

// span is a column of a table, in columns of the screen: [from, to).
type span struct{ from, to int }

// rules are the characters that a rule is drawn with, and those that part its columns.
const (
	rules  = "-=─═"
	joints = "+ ┌┬┐├┼┤└┴┘╔╤╗╠╪╣╚╧╝╟╢║│┃"
)

// ruled says whether a line is a rule of a table, and where it puts the columns.
func ruled(line string) ([]span, bool) {
	var columns []span
	at, inRule := 0, false
	for _, r := range strings.TrimRight(line, " ") {
		switch {
		case strings.ContainsRune(rules, r):
			if !inRule {
				columns = append(columns, span{from: at, to: at})
			}
			inRule = true
			columns[len(columns)-1].to = at + 1
		case strings.ContainsRune(joints, r):
			inRule = false
		default:
			return nil, false
		}
		at++
	}
	for _, c := range columns {
		if c.to-c.from < 3 { // a cell has a blank on each side
			return nil, false
		}
	}
	return columns, len(columns) > 1
}

// cut takes the columns out of a line of cells. It refuses a line in which
// something other than a border stands between them, or a cell that is not
// parted from its borders by a blank.
func cut(line string, columns []span) ([]Cell, bool) {
	screen := screenOf(line)
	cells := make([]Cell, len(columns))
	end := 0
	for i, column := range columns {
		if !isBorder(screen.text(end, column.from)) {
			return nil, false
		}
		inside := screen.text(column.from, column.to)
		if inside != "" && !strings.HasPrefix(inside, " ") || len(inside) > 1 && column.to <= len(screen) && !strings.HasSuffix(inside, " ") {
			return nil, false
		}
		cells[i] = Cell{strings.TrimSpace(inside)}
		end = column.to
	}
	return cells, isBorder(screen.text(end, len(screen)))
}

// isBorder says whether nothing but a border stands here.
func isBorder(text string) bool {
	return strings.Trim(text, " |│║┃") == ""
}

// screen is a line as a terminal shows it: the character that begins at each
// column, and nothing where a wide character goes on.
type screen []string

func screenOf(line string) screen {
	var columns screen
	characters := displaywidth.StringGraphemes(line)
	for characters.Next() {
		columns = append(columns, characters.Value())
		for range characters.Width() - 1 {
			columns = append(columns, "")
		}
	}
	return columns
}

// text is what stands in the columns [from, to); a line may end before them.
func (s screen) text(from, to int) string {
	from, to = min(from, len(s)), min(to, len(s))
	return strings.Join(s[from:to], "")
}
