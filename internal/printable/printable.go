// Package printable makes text from a host or a file safe for a terminal: what
// would move the cursor, change colours, retitle a window, reorder what is read
// or hide a part of it becomes an escape that can be seen. Both sides use it.
package printable

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line is s as one line that a terminal only prints. A tab becomes a space; a
// newline, any other control character, a bidirectional override or isolate, a
// zero-width character and a byte that is no UTF-8 become escapes as Go writes
// them (\n, \x1b, \u202e). Letters, accents and emoji stay as they are. A
// backslash stays too: the result is to be read, not to be decoded.
func Line(s string) string {
	clean := strings.IndexFunc(s, func(r rune) bool { return r == '\t' || r == utf8.RuneError || !safe(r) }) < 0
	if clean {
		return s
	}
	var out strings.Builder
	out.Grow(len(s) + 16)
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&out, `\x%02x`, s[0])
		case r == '\t':
			out.WriteByte(' ')
		case safe(r):
			out.WriteRune(r)
		default:
			out.WriteString(escape(r))
		}
		s = s[size:]
	}
	return out.String()
}

// Excerpt is Line of at most limit bytes of s, cut between characters, with "…"
// where something was left out. The result can be longer than limit: escapes are.
func Excerpt(s string, limit int) string {
	if len(s) <= limit {
		return Line(s)
	}
	cut := max(limit, 0)
	for cut > 0 && cut > limit-utf8.UTFMax && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return Line(s[:cut]) + "…"
}

// joiners build emoji (family, flags of regions) and words of some scripts; alone
// they hide nothing that a reader would miss.
const (
	zeroWidthNonJoiner = '\u200c'
	zeroWidthJoiner    = '\u200d'
)

// safe says that a terminal prints r and does nothing else. Format characters
// (category Cf) are the bidirectional controls, zero-width ones, tags and the
// byte order mark; line and paragraph separators break a line in some viewers.
func safe(r rune) bool {
	switch {
	case r == zeroWidthJoiner || r == zeroWidthNonJoiner:
		return true
	case unicode.Is(unicode.Cc, r), unicode.Is(unicode.Cf, r):
		return false
	case r == '\u2028' || r == '\u2029':
		return false
	default:
		return true
	}
}

func escape(r rune) string {
	switch {
	case r == '\n':
		return `\n`
	case r == '\r':
		return `\r`
	case r < 0x80:
		return fmt.Sprintf(`\x%02x`, r)
	case r <= 0xffff:
		return fmt.Sprintf(`\u%04x`, r)
	default:
		return fmt.Sprintf(`\U%08x`, r)
	}
}
