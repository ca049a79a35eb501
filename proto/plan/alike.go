package plan

import (
	"strings"
	"unicode"
)

// nearly says whether two steps choose by values that are not the same, but may be so to a database.
func (s Step) nearly(other Step) bool {
	return !s.NoField && !other.NoField && s.Field == other.Field && s.Value != other.Value && folded(s.Value) == folded(other.Value)
}

// plainLetters are those of French and its neighbours without what a collation leaves out.
var plainLetters = strings.NewReplacer(
	"à", "a", "á", "a", "â", "a", "ã", "a", "ä", "a", "å", "a", "æ", "ae", "ç", "c", "è", "e", "é", "e", "ê", "e", "ë", "e",
	"ì", "i", "í", "i", "î", "i", "ï", "i", "ñ", "n", "ò", "o", "ó", "o", "ô", "o", "õ", "o", "ö", "o", "œ", "oe", "ß", "ss",
	"ù", "u", "ú", "u", "û", "u", "ü", "u", "ý", "y", "ÿ", "y")

// folded is a value as MariaDB's and MySQL's usual collations (utf8mb4_unicode_ci and its like) compare it:
// without case, accents and blanks at the end. The runbook's "exactement" holds only where the application
// or a binary collation sees to it.
func folded(value string) string {
	unmarked := strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, strings.ToLower(value))
	return strings.TrimRight(plainLetters.Replace(unmarked), " ")
}
