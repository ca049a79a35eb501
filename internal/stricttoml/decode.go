// Package stricttoml reads TOML that says exactly what it means: an unknown
// key, a key set twice, a value of another type or a control character is a
// problem, and every problem of the file is told at once, with its line.
//
// BurntSushi/toml parses; this package finds where each key stands, fills the
// struct and collects the problems. It refuses nothing that TOML allows but
// control characters, a byte order mark and absurd sizes.
package stricttoml

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"unicode/utf8"

	"github.com/BurntSushi/toml"

	"github.com/re-connect/rpctl/internal/printable"
)

// MaxSize is the longest file that is read, in bytes.
const MaxSize = 1 << 20

// Option changes how Decode reads.
type Option func(*Document)

// OnUnknown asks advise about every unknown key, by the key's own name; what it
// returns is the problem's message, and "" keeps the usual one.
func OnUnknown(advise func(name string) string) Option {
	return func(d *Document) { d.advise = advise }
}

// Decode reads data, the content of the file path, into a pointer to a struct
// whose fields carry `toml` tags (fields without one are never set; names match
// exactly, case included).
//
// The error is a Problems with everything that is wrong. The document is nil
// when the file cannot be read as TOML at all; otherwise all that fits has been
// filled in, so that the caller can go on with checks of its own through
// Document.Refuse and return Document.Err for all problems together.
func Decode(path string, data []byte, into any, options ...Option) (*Document, error) {
	target := reflect.ValueOf(into)
	if target.Kind() != reflect.Pointer || target.IsNil() || target.Elem().Kind() != reflect.Struct {
		return nil, fmt.Errorf("cannot decode into %T: want a pointer to a struct", into)
	}
	doc := &Document{file: path, positions: map[string]position{}, bad: map[string]bool{}}
	for _, option := range options {
		option(doc)
	}
	tree, ok := doc.parse(data)
	if !ok {
		return nil, doc.Err()
	}
	doc.fill("", tree, target.Elem())
	return doc, doc.Err()
}

// parse gives the file as the library's tree, or false with the problems noted.
func (d *Document) parse(data []byte) (map[string]any, bool) {
	if !d.checkText(data) {
		return nil, false
	}
	scan := scanner{data: data, doc: d, line: 1}
	outcome := scan.run()
	if outcome == tooDeep {
		d.add(position{line: scan.line}, fmt.Sprintf("nested more than %d deep", maxDepth))
		return nil, false
	}
	tree := map[string]any{}
	if _, err := toml.NewDecoder(bytes.NewReader(scan.withoutRepeats())).Decode(&tree); err != nil {
		d.addSyntax(data, err, outcome == lost, scan.here())
		return nil, false
	}
	if outcome == lost { // more than TOML: the library takes six quotes for the end of a long string
		d.add(scan.here(), "this is no TOML")
		return nil, false
	}
	return tree, true
}

// addSyntax notes the library's complaint. Where the scanner got lost it stands right before
// what is wrong, while the library may have read on into the next line: the earlier place counts.
func (d *Document) addSyntax(data []byte, err error, lost bool, scanned position) {
	var parse toml.ParseError
	if !errors.As(err, &parse) {
		d.add(scanned, err.Error())
		return
	}
	at := position{line: max(parse.Position.Line, 1)}
	lines := bytes.Split(data, []byte("\n"))
	if at.line <= len(lines) {
		line := lines[at.line-1]
		before := min(max(parse.Position.Col-1, 0), len(line))
		at.column = utf8.RuneCount(line[:before]) + 1
	}
	if lost && (scanned.line < at.line || scanned.line == at.line && scanned.column < at.column) {
		at = scanned
	}
	d.add(at, parse.Message)
}

// checkText refuses what no editor shows as it is: it would hide a meaning from the reader.
func (d *Document) checkText(data []byte) bool {
	if len(data) > MaxSize {
		d.add(position{line: 1}, fmt.Sprintf("the file is longer than %d KiB", MaxSize>>10))
		return false
	}
	if bytes.HasPrefix(data, []byte("\xef\xbb\xbf")) {
		d.add(position{line: 1, column: 1}, "starts with a byte order mark: save it as UTF-8 without BOM")
		return false
	}
	before := len(d.problems)
	for number, line := range bytes.Split(data, []byte("\n")) {
		if column, what := hidden(bytes.TrimSuffix(line, []byte("\r"))); what != "" {
			d.add(position{line: number + 1, column: column}, what)
		}
	}
	return len(d.problems) == before
}

// hidden finds the first character of a line that must not be there.
func hidden(line []byte) (column int, what string) {
	for i := 0; i < len(line); {
		r, size := utf8.DecodeRune(line[i:])
		column++
		switch {
		case r == utf8.RuneError && size == 1:
			return column, fmt.Sprintf("is no UTF-8 (byte 0x%02x)", line[i])
		case isHidden(r):
			return column, fmt.Sprintf("hidden character U+%04X", r)
		}
		i += size
	}
	return 0, ""
}

// isHidden says that r is more than it shows: it moves the cursor, reorders or hides text.
func isHidden(r rune) bool {
	return r != '\t' && printable.Line(string(r)) != string(r)
}
