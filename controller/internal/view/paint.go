package view

import (
	"strconv"
	"strings"
)

// paint is how a terminal draws text: the part of Select Graphic Rendition (ECMA-48, 8.3.117) that hides nothing.
// Colours are SGR's own numbers, 30 to 37 and 90 to 97 for text, 40 to 47 and 100 to 107 behind it; 0 is the
// terminal's own. Concealed and faint text, and colours out of larger tables, are left out: text could be drawn
// in the colour of what is behind it.
type paint struct {
	bold, italic, underline, reverse bool
	text, behind                     int
}

// set applies the parameters of a sequence.
func (p *paint) set(parameters string) {
	if strings.Contains(parameters, ":") { // ISO 8613-6: colours out of larger tables
		return
	}
	words := strings.Split(parameters, ";")
	for i := 0; i < len(words); i++ {
		n, _ := strconv.Atoi(words[i]) // an empty one is 0
		switch {
		case n == 0:
			*p = paint{}
		case n == 38 || n == 48: // 5;N or 2;R;G;B follow
			if i+1 < len(words) && words[i+1] == "2" {
				i += 4
			} else {
				i += 2
			}
		case n == 39:
			p.text = 0
		case n == 49:
			p.behind = 0
		case n >= 30 && n <= 37 || n >= 90 && n <= 97:
			p.text = n
		case n >= 40 && n <= 47 || n >= 100 && n <= 107:
			p.behind = n
		default:
			p.style(n)
		}
	}
}

func (p *paint) style(n int) {
	switch n {
	case 1, 22:
		p.bold = n == 1
	case 3, 23:
		p.italic = n == 3
	case 4, 24:
		p.underline = n == 4
	case 7, 27:
		p.reverse = n == 7
	}
}

// black and white are what a terminal's own text and ground are, one or the other.
const black, white = 0, 7

// legible is the paint without a ground that its text cannot be told from.
func (p paint) legible() paint {
	ground := p.behind % 10
	switch {
	case p.behind != 0 && p.text%10 == ground && p.text != 0:
		p.behind = 0
	case p.behind != 0 && p.text == 0 && (ground == black || ground == white):
		p.behind = 0
	}
	if p.behind == 0 && (p.text == 30+black || p.text == 90+white || p.text == 30+white) {
		p.text = 0
	}
	return p
}

// sequence is what changes a terminal to this paint, whatever it had before.
func (p paint) sequence() string {
	out := "\x1b[0"
	for _, on := range []struct {
		is bool
		n  int
	}{{p.bold, 1}, {p.italic, 3}, {p.underline, 4}, {p.reverse, 7}, {p.text != 0, p.text}, {p.behind != 0, p.behind}} {
		if on.is {
			out += ";" + strconv.Itoa(on.n)
		}
	}
	return out + "m"
}
