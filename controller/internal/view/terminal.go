package view

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/re-connect/rpctl/internal/printable"
)

// Terminal makes what a host's console prints fit for a terminal. Colours, tabs, newlines
// and the carriage returns of progress bars pass; every other control character or
// sequence becomes an escape that can be seen. It keeps what a chunk cuts in two for the
// next one, a few bytes at most. Each stream needs its own.
type Terminal struct {
	Color bool // false drops colours instead of passing them
	rest  []byte
	dirty bool // a colour is on
}

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

// one writes the first character or colour and says how long it was; 0 where its end has not come yet.
func (t *Terminal) one(out *strings.Builder, data []byte) int {
	switch c := data[0]; {
	case c == '\n' || c == '\r' || c == '\t':
		out.WriteByte(c)
		return 1
	case c == 0x1b:
		if sgr := colour.Find(data[:min(len(data), mostSequence)]); sgr != nil {
			t.paint(out, string(sgr))
			return len(sgr)
		}
		if len(data) < mostSequence && begun.Match(data) {
			return 0
		}
	case c >= utf8.RuneSelf && !utf8.FullRune(data):
		return 0
	}
	_, size := utf8.DecodeRune(data)
	out.WriteString(printable.Line(string(data[:size])))
	return size
}

func (t *Terminal) paint(out *strings.Builder, sgr string) {
	if t.Color {
		out.WriteString(sgr)
		t.dirty = sgr != "\x1b[0m" && sgr != "\x1b[m"
	}
}

// End is what is left of the last chunk, and the end of a colour that is still on.
func (t *Terminal) End() string {
	left := printable.Line(string(t.rest))
	t.rest = nil
	if t.dirty {
		left += "\x1b[0m"
		t.dirty = false
	}
	return left
}
