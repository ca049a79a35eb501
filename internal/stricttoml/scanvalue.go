package stricttoml

import (
	"bytes"

	"github.com/BurntSushi/toml"
)

// value scans what stands after a key; quiet scans it without recording places.
func (s *scanner) value(path string, depth int, quiet bool) outcome {
	switch c := s.peek(); {
	case depth > maxDepth:
		return tooDeep
	case c == '"' || c == '\'':
		return s.text()
	case c == '[':
		return s.list(path, depth, quiet)
	case c == '{':
		return s.inlineTable(path, depth, quiet)
	default:
		start := s.pos
		for s.pos < len(s.data) && bytes.IndexByte([]byte(",]}#\r\n"), s.data[s.pos]) < 0 {
			s.pos++
		}
		if s.pos == start {
			return lost
		}
		return complete
	}
}

// list scans [a, b].
func (s *scanner) list(path string, depth int, quiet bool) outcome {
	s.pos++
	for i := 0; ; i++ {
		s.skipBlank()
		if s.take("]") {
			return complete
		}
		element := Index(path, i)
		if !quiet {
			s.doc.record(element, s.here())
		}
		if outcome := s.value(element, depth+1, quiet); outcome != complete {
			return outcome
		}
		s.skipBlank()
		if !s.take(",") && s.peek() != ']' {
			return lost
		}
	}
}

// inlineTable scans {a = 1, b = 2}.
func (s *scanner) inlineTable(path string, depth int, quiet bool) outcome {
	s.pos++
	for {
		s.skipBlank()
		if s.take("}") {
			return complete
		}
		at := s.here()
		names, outcome := s.key()
		if outcome != complete {
			return outcome
		}
		if !s.take("=") {
			return lost
		}
		s.skipBlank()
		below := Join(path, names...)
		if !quiet {
			s.recordParents(path, names, at)
			s.doc.record(below, at)
		}
		if outcome := s.value(below, depth+len(names), quiet); outcome != complete {
			return outcome
		}
		s.skipBlank()
		if !s.take(",") && s.peek() != '}' {
			return lost
		}
	}
}

// key scans a dotted key and the space after it.
func (s *scanner) key() ([]string, outcome) {
	var names []string
	for {
		s.skipSpace()
		start := s.pos
		if c := s.peek(); c == '"' || c == '\'' {
			if s.text() != complete {
				return nil, lost
			}
		} else {
			for isBare(s.peek()) {
				s.pos++
			}
		}
		name, ok := unquoteKey(string(s.data[start:s.pos]))
		if !ok {
			return nil, lost
		}
		if names = append(names, name); len(names) > maxDepth {
			return nil, tooDeep
		}
		s.skipSpace()
		if !s.take(".") {
			return names, complete
		}
	}
}

// text scans a string of any of the four kinds, or a quoted key.
func (s *scanner) text() outcome {
	quote := s.peek()
	long := bytes.Repeat([]byte{quote}, 3)
	multi := bytes.HasPrefix(s.data[s.pos:], long)
	s.pos++
	if multi {
		s.pos += 2
	}
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; {
		case c == '\\' && quote == '"':
			s.step()
			if s.pos == len(s.data) {
				return lost
			}
		case c == '\n' && !multi:
			return lost
		case c == quote && !multi:
			s.pos++
			return complete
		case c == quote && bytes.HasPrefix(s.data[s.pos:], long):
			s.pos += 3
			// up to two quotes may stand before the closing three
			for extra := 0; extra < 2 && s.peek() == quote; extra++ {
				s.pos++
			}
			return complete
		}
		s.step()
	}
	return lost
}

// step goes over one byte and counts lines.
func (s *scanner) step() {
	if s.data[s.pos] == '\n' {
		s.line++
		s.bol = s.pos + 1
	}
	s.pos++
}

// skipSpace goes over spaces and tabs.
func (s *scanner) skipSpace() {
	for c := s.peek(); c == ' ' || c == '\t'; c = s.peek() {
		s.pos++
	}
}

// skipBlank goes over white space, line ends and comments.
func (s *scanner) skipBlank() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\r', '\n':
			s.step()
		case '#':
			for s.pos < len(s.data) && s.data[s.pos] != '\n' {
				s.pos++
			}
		default:
			return
		}
	}
}

// take goes over token if it comes next.
func (s *scanner) take(token string) bool {
	if !bytes.HasPrefix(s.data[s.pos:], []byte(token)) {
		return false
	}
	s.pos += len(token)
	return true
}

// peek is the next byte, or 0 at the end.
func (s *scanner) peek() byte {
	if s.pos == len(s.data) {
		return 0
	}
	return s.data[s.pos]
}

// isBare says that c may stand in a key without quotes.
func isBare(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}

// unquoteKey is the name that one part of a key stands for. The library reads the escapes.
func unquoteKey(raw string) (string, bool) {
	if raw == "" || raw[0] != '"' && raw[0] != '\'' {
		return raw, raw != ""
	}
	var holder map[string]string
	if _, err := toml.Decode("k="+raw, &holder); err != nil {
		return "", false
	}
	return holder["k"], true
}
