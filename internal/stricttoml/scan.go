package stricttoml

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// scanner walks over TOML to learn where each key and element stands, which the
// library keeps to itself, and which keys are set twice, where the library stops
// at the first. It is lenient: what it does not understand the library refuses.
type scanner struct {
	data []byte
	doc  *Document
	pos  int
	line int // of pos
	bol  int // offset at which line begins

	table    string         // key path of the table that keys belong to
	defined  map[string]int // line of each key and table that may be set once
	lengths  map[string]int // of each list of tables
	repeats  [][2]int       // spans that set something again
	repeated int            // where a table that is there twice begins; -1 outside
}

// maxDepth bounds nesting and key length: the library recurses and is quadratic in them.
const maxDepth = 32

// outcome is how a scan ended.
type outcome int

const (
	complete outcome = iota
	lost             // the library will say what is wrong
	tooDeep
)

// run scans the whole file.
func (s *scanner) run() outcome {
	s.defined, s.lengths, s.repeated = map[string]int{}, map[string]int{}, -1
	for {
		s.skipBlank()
		start := s.pos
		if start == len(s.data) {
			s.endRepeat(start)
			return complete
		}
		scan := s.statement
		if s.data[start] == '[' {
			scan = s.header
		}
		outcome := scan()
		if outcome == complete {
			s.skipSpace()
			if c := s.peek(); c != 0 && c != '\n' && c != '\r' && c != '#' {
				outcome = lost
			}
		}
		if outcome != complete {
			s.endRepeat(start) // what is not understood stays for the library to refuse
			return outcome
		}
	}
}

// header scans [table] or [[list of tables]].
func (s *scanner) header() outcome {
	start, at := s.pos, s.here()
	s.endRepeat(start)
	list := bytes.HasPrefix(s.data[s.pos:], []byte("[["))
	closing := "]"
	if list {
		closing = "]]"
	}
	s.pos += len(closing)
	names, outcome := s.key()
	if outcome != complete {
		return outcome
	}
	if !s.take(closing) {
		return lost
	}
	path := ""
	for i, name := range names {
		path = Join(path, name)
		last := i == len(names)-1
		if list && last {
			s.doc.record(path, at)
			path = Index(path, s.lengths[path])
			s.lengths[parent(path)]++
		} else if n := s.lengths[path]; n > 0 && !last {
			path = Index(path, n-1)
		}
		if !last {
			s.doc.record(path, at)
		}
	}
	s.table = path
	if first, again := s.defined[path]; again {
		s.doc.add(at, fmt.Sprintf("table [%s] is there twice: first on line %d", path, first))
		s.repeated = start
		return complete
	}
	s.defined[path] = at.line
	s.doc.place(path, at)
	return complete
}

// statement scans key = value.
func (s *scanner) statement() outcome {
	start, at := s.pos, s.here()
	names, outcome := s.key()
	if outcome != complete {
		return outcome
	}
	if !s.take("=") {
		return lost
	}
	s.skipSpace()
	path := Join(s.table, names...)
	first, again := s.defined[path]
	again = again && s.repeated < 0
	if !again && s.repeated < 0 {
		s.recordParents(s.table, names, at)
		s.defined[path] = at.line
		s.doc.place(path, at)
	}
	outcome = s.value(path, 0, again || s.repeated >= 0)
	if again && outcome == complete {
		s.repeats = append(s.repeats, [2]int{start, s.pos})
		s.doc.add(at, fmt.Sprintf("`%s` is set twice: first on line %d", lastName(path), first))
	}
	return outcome
}

// recordParents gives the tables that a dotted key makes on the way their place.
func (s *scanner) recordParents(table string, names []string, at position) {
	for i := 1; i < len(names); i++ {
		s.doc.record(Join(table, names[:i]...), at)
	}
}

// place records where path is set; a table that was only implied until now gets its own place.
func (d *Document) place(path string, at position) {
	d.record(path, at)
	d.positions[path] = at
}

// endRepeat closes the span of a table that is there twice.
func (s *scanner) endRepeat(at int) {
	if s.repeated >= 0 {
		s.repeats = append(s.repeats, [2]int{s.repeated, at})
		s.repeated = -1
	}
}

// withoutRepeats is the file with what is there twice blanked out, lines and columns kept.
func (s *scanner) withoutRepeats() []byte {
	text := bytes.Clone(s.data)
	for _, span := range s.repeats {
		for i := span[0]; i < span[1]; i++ {
			if text[i] != '\n' {
				text[i] = ' '
			}
		}
	}
	return text
}

// here is the position of the next character.
func (s *scanner) here() position {
	return position{s.line, utf8.RuneCount(s.data[s.bol:s.pos]) + 1}
}
