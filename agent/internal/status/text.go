package status

import (
	"strings"

	"github.com/re-connect/rpctl/internal/printable"
)

// The colours, as SGR parameters (ECMA-48).
const (
	bold   = "1"
	red    = "31"
	green  = "32"
	yellow = "33"
)

// line writes one line, which is printable and fits already.
func (p *page) line(text string) { p.text.WriteString(strings.TrimRight(text, " ") + "\n") }

// paint colours printable text.
func (p *page) paint(colour, text string) string {
	if !p.Color || colour == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// wrap writes words behind first, on as many lines as they need; those after the first are indented alike.
func (p *page) wrap(first, text string) {
	indent := strings.Repeat(" ", len(first))
	line, empty := first, true
	for _, word := range strings.Fields(printable.Line(text)) {
		for columns(word) > 0 {
			switch room := p.Width - columns(line); {
			case empty && columns(word) <= room:
				line, word, empty = line+word, "", false
			case !empty && columns(word)+1 <= room:
				line, word = line+" "+word, ""
			case !empty:
				p.line(line)
				line, empty = indent, true
			default: // one word that is wider than a line
				head := head(word, room)
				p.line(line + head)
				line, word = indent, word[len(head):]
			}
		}
	}
	if !empty {
		p.line(line)
	}
}

// fit is text made printable and cut to width columns.
func fit(text string, width int) string {
	text = printable.Line(text)
	if columns(text) <= width {
		return text
	}
	return head(text, width-1) + "~"
}

// middle is fit for unit names, whose end tells them apart.
func middle(text string, width int) string {
	text = printable.Line(text)
	if columns(text) <= width {
		return text
	}
	const tail = 8
	if len(text) <= tail || width <= tail+1 {
		return fit(text, width)
	}
	end := strings.ToValidUTF8(text[len(text)-tail:], "")
	return head(text, width-1-columns(end)) + "~" + end
}

// head is as many whole characters as fit into width columns.
func head(text string, width int) string {
	used := 0
	for i, r := range text {
		if used += columnsOf(r); used > width {
			return text[:i]
		}
	}
	return text
}

func padRight(text string, width int) string {
	return text + strings.Repeat(" ", max(width-columns(text), 0))
}

func padLeft(text string, width int) string {
	return strings.Repeat(" ", max(width-columns(text), 0)) + text
}

// columns is how wide text is on a terminal, at most.
func columns(text string) int {
	n := 0
	for _, r := range text {
		n += columnsOf(r)
	}
	return n
}

// columnsOf counts two for everything from the first wide script on (Hangul Jamo,
// Unicode's East_Asian_Width): a line may come out shorter, never longer.
func columnsOf(r rune) int {
	if r < 0x1100 {
		return 1
	}
	return 2
}
