package view

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/re-connect/rpctl/internal/printable"
)

// Terminal makes what a host's console prints fit for a terminal. The sixteen colours, tabs, newlines
// and the carriage returns of progress bars pass; every other control character or
// sequence becomes an escape that can be seen, and what would hide text is left out (paint). A line that begins
// as one of rpctl's own gets a mark in front. It keeps what a chunk cuts in two for the
// next one, a few bytes at most. Each stream needs its own.
type Terminal struct {
	Color bool // false drops colours instead of passing them
	rest  []byte
	asked paint // what the console asked for
	shown paint // what the terminal was told
	begun bool  // the line has begun, and is none of rpctl's
	line  string
	held  string // of the line's beginning, until it is clear whose it looks like
}

// ours are the beginnings of rpctl's own lines, and mark stands before a console's line that begins so.
var ours = []string{"rpctl:", "  next:"}

const mark = "| "

// mostHeld bounds what is held: colours may follow each other without an end.
const mostHeld = 256

// mostSequence is longer than any colour: beyond it, what looks like one is none.
const mostSequence = 40

var (
	// colour is Select Graphic Rendition (ECMA-48, 8.3.117), with the colons of ISO 8613-6.
	colour = regexp.MustCompile(`^\x1b\[[0-9;:]*m`)
	// begun is what may become one.
	begun = regexp.MustCompile(`^\x1b(\[[0-9;:]*)?$`)
)

// Show is the next chunk as it may be written.
func (t *Terminal) Show(chunk []byte) string {
	data := append(t.rest, chunk...)
	t.rest = nil
	var out strings.Builder
	for len(data) > 0 {
		n := t.one(&out, data)
		if n == 0 {
			t.rest = append([]byte(nil), data...)
			break
		}
		data = data[n:]
	}
	return out.String()
}

// one takes the first character or colour and says how long it was; 0 where its end has not come yet.
func (t *Terminal) one(out *strings.Builder, data []byte) int {
	switch c := data[0]; {
	case c == '\n' || c == '\r': // after both, the next character stands where a line begins
		out.WriteString(t.held + string(c))
		t.begun, t.line, t.held = false, "", ""
		return 1
	case c == '\t':
		t.put(out, "\t", "\t")
		return 1
	case c == 0x1b:
		if sgr := colour.Find(data[:min(len(data), mostSequence)]); sgr != nil {
			t.paint(out, string(sgr[2:len(sgr)-1]))
			return len(sgr)
		}
		if len(data) < mostSequence && begun.Match(data) {
			return 0
		}
	case c >= utf8.RuneSelf && !utf8.FullRune(data):
		return 0
	}
	_, size := utf8.DecodeRune(data)
	text := printable.Line(string(data[:size]))
	t.put(out, text, text)
	return size
}

// put writes what is shown, of which text is a part of the line. The beginning of a line is held until it is no
// longer that of a line of rpctl's.
func (t *Terminal) put(out *strings.Builder, shown, text string) {
	if t.begun {
		out.WriteString(shown)
		return
	}
	t.held += shown
	t.line += text
	like := func(own string) bool { return strings.HasPrefix(t.line, own) }
	unclear := func(own string) bool { return strings.HasPrefix(own, t.line) && len(t.held) < mostHeld }
	switch {
	case slices.ContainsFunc(ours, like), len(t.held) >= mostHeld:
		out.WriteString(mark)
	case slices.ContainsFunc(ours, unclear):
		return
	}
	out.WriteString(t.held)
	t.begun, t.line, t.held = true, "", ""
}

func (t *Terminal) paint(out *strings.Builder, parameters string) {
	t.asked.set(parameters)
	// A colour that is on is told again: lines of rpctl's in between may have ended it.
	if next := t.asked.legible(); t.Color && (next != t.shown || next != paint{}) {
		t.shown = next
		t.put(out, next.sequence(), "")
	}
}

// End is what is left of the last chunk, and the end of a colour that is still on.
func (t *Terminal) End() string {
	left := t.held + printable.Line(string(t.rest))
	t.rest, t.held = nil, ""
	if t.shown != (paint{}) {
		left += "\x1b[0m"
		t.asked, t.shown = paint{}, paint{}
	}
	return left
}
