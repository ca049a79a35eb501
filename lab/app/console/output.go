package console

import (
	"io"
	"math"
	"strconv"
	"strings"
)

// output is Symfony's: with styles or without.
type output struct {
	w         io.Writer
	decorated bool
}

// style is what Symfony sets and unsets around a text.
type style struct{ set, unset string }

var (
	infoStyle  = style{"\x1b[32m", "\x1b[39m"}
	errorStyle = style{"\x1b[37;41m", "\x1b[39;49m"}
)

func (o output) styled(s style, text string) string {
	if !o.decorated {
		return text
	}
	return s.set + text + s.unset
}

func (o output) raw(text string)  { _, _ = io.WriteString(o.w, text) } // PHP does not look either
func (o output) line(text string) { o.raw(text + "\n") }

func (o output) noiseBefore(k *knobs) {
	if k.Noise {
		o.raw("PHP Deprecated:  Function strftime() is deprecated in /app/src/Report.php on line 41\n")
		o.raw("12:00:01 INFO      [app] Migration [\"origin\" => 4537]\n")
	}
	if k.InvalidUTF8 {
		o.raw("12:00:01 WARNING   [app] Nom illisible: Ren\xe9 \xff\xfe\n")
	}
	// Lines of 100 bytes, many at once: a test may ask for a gigabyte.
	line := strings.Repeat(".", 99) + "\n"
	for lines := (k.Volume + 99) / 100; lines > 0; lines -= 1000 {
		o.raw(strings.Repeat(line, min(1000, lines)))
	}
}

func (o output) noiseBetween(k *knobs) {
	if k.Noise {
		o.raw("12:00:01 DEBUG     [doctrine] SELECT | id | FROM accommodation\n")
	}
}

func (o output) noiseAfter(k *knobs) {
	for left := k.Endless; left > 0; left -= 100 {
		o.raw(strings.Repeat("=", min(100, left)))
	}
}

// progress is Symfony's bar in the format "normal", drawn at every fifth row and at the end.
type progress struct {
	out       output
	max, step int
}

func (p *progress) advance() {
	if p.step++; p.step%5 == 0 || p.step == p.max {
		p.draw()
	}
}

func (p *progress) draw() {
	const width = 28
	switch {
	case p.step == 0:
	case p.out.decorated:
		p.out.raw("\x1b[1G\x1b[2K")
	default:
		p.out.raw("\n")
	}
	done := float64(p.step) / float64(p.max)
	full := int(math.Floor(done * width))
	bar := strings.Repeat("=", full)
	if full < width {
		bar += ">" + strings.Repeat("-", width-full-1)
	}
	most := strconv.Itoa(p.max)
	p.out.raw(" " + pad(strconv.Itoa(p.step), len(most)) + "/" + most + " [" + bar + "] " +
		pad(strconv.Itoa(int(math.Floor(done*100))), 3) + "%")
}

// pad puts blanks before a text.
func pad(text string, width int) string { return strings.Repeat(" ", max(0, width-len(text))) + text }
