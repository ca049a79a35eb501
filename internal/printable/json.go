package printable

import (
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// JSON is encoded JSON with what a terminal would obey as escapes of its own: encoding/json
// leaves DEL, C1 controls and bidirectional marks as they are. The meaning stays: such
// characters stand within strings only. Newlines between values stay too.
func JSON(encoded []byte) []byte {
	out := make([]byte, 0, len(encoded))
	for i := 0; i < len(encoded); {
		r, size := utf8.DecodeRune(encoded[i:])
		part := encoded[i : i+size]
		if r >= 0x7f && r != utf8.RuneError && !safe(r) {
			for _, unit := range utf16.Encode([]rune{r}) {
				out = fmt.Appendf(out, `\u%04x`, unit)
			}
		} else {
			out = append(out, part...)
		}
		i += size
	}
	return out
}
