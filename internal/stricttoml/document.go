package stricttoml

import (
	"fmt"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/re-connect/rpctl/internal/printable"
)

// Document is a file that was read: it knows where each key stands and collects problems.
//
// A key path is written as TOML writes it, with the index of a list's element in
// brackets: `environments.preprod.hosts[1]`. Join makes one from names.
type Document struct {
	file      string
	advise    func(name string) string
	positions map[string]position
	order     []string // key paths as the file has them
	problems  Problems
	bad       map[string]bool // key paths with a problem
}

// position is where something stands; line and column count from 1, column 0 is unknown.
type position struct{ line, column int }

// Join adds names to a key path, quoting those that are no bare keys.
func Join(path string, names ...string) string {
	joined := toml.Key(names).String()
	if path == "" || joined == "" {
		return path + joined
	}
	return path + "." + joined
}

// Index is the key path of the i-th element of the list at path, from 0.
func Index(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

// Line is where path stands, or, when the file does not have it, the nearest
// table around it; 1 when there is none.
func (d *Document) Line(path string) int { return d.at(path).line }

func (d *Document) at(path string) position {
	for ; path != ""; path = parent(path) {
		if found, ok := d.positions[path]; ok {
			return found
		}
	}
	return position{line: 1}
}

// Has says that the file sets path.
func (d *Document) Has(path string) bool {
	_, ok := d.positions[path]
	return ok
}

// Names are the keys directly below the table at path, in the order of the file.
func (d *Document) Names(path string) []string {
	var names []string
	for _, candidate := range d.order {
		if candidate != path && parent(candidate) == path && !strings.HasSuffix(candidate, "]") {
			names = append(names, lastName(candidate))
		}
	}
	return names
}

// Sound says that nothing was found wrong at path or around it.
func (d *Document) Sound(path string) bool {
	for ; path != ""; path = parent(path) {
		if d.bad[path] {
			return false
		}
	}
	return true
}

// Refuse notes a problem at path. What is not Sound already stays as it was
// told first: a value of the wrong type is not also "missing".
func (d *Document) Refuse(path, format string, args ...any) {
	if !d.Sound(path) {
		return
	}
	d.bad[path] = true
	d.add(d.at(path), fmt.Sprintf(format, args...))
}

func (d *Document) add(at position, message string) {
	d.problems = append(d.problems, Problem{d.file, at.line, at.column, printable.Line(message)})
}

// record remembers the first place where path is mentioned.
func (d *Document) record(path string, at position) {
	if _, known := d.positions[path]; !known {
		d.positions[path] = at
		d.order = append(d.order, path)
	}
}

// Err is a Problems with all that was found, in line order, or nil.
func (d *Document) Err() error {
	if len(d.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(d.problems, func(a, b Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return slices.Clone(d.problems)
}

// parent is the table or list around path; "" for a key of the top level.
func parent(path string) string { return path[:lastStep(path)] }

// lastName is the last key of path, unquoted, with the indexes behind it.
func lastName(path string) string {
	step := path[lastStep(path):]
	if strings.HasPrefix(step, "[") {
		return lastName(parent(path)) + step
	}
	name := strings.TrimPrefix(step, ".")
	if plain, ok := unquoteKey(name); ok {
		return plain
	}
	return name
}

// lastStep is where the last key (with its dot) or index of path begins.
func lastStep(path string) int {
	step, quoted := 0, false
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == '.' || c == '['):
			step = i
		}
	}
	return step
}
