package secret

import (
	"regexp"
	"strings"
	"sync"
)

// The forms in which programs print secrets that they were configured with.
var forms = sync.OnceValue(func() (f struct{ login, bare, broken, port, header, assigned, value *regexp.Regexp }) {
	f.login = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)([^\s/?#'"<>]*)@`)
	f.bare = regexp.MustCompile(`(?:^|[\s='"])(?://)?([^\s/:@='"]+):[^\s/@'"]+@(?:[A-Za-z0-9.-]+(?::[0-9]{1,5})?[/?#]|(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}(?::[0-9]{1,5})?(?:[\s'"]|$))`)
	f.broken = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)([^\s/@'"<>]*:[^\s'"<>]*)@`) // with a / in the password: why a program complains
	f.port = regexp.MustCompile(`^[^:]*:[0-9]+[/?#]`)
	f.header = regexp.MustCompile(`(?i)(\bauthorization["']?[ \t]*[:=][ \t]*["']?[a-z]+|\bbearer)([ \t]+)([A-Za-z0-9._~+/=-]+)`)
	f.assigned = regexp.MustCompile(`([A-Za-z][A-Za-z0-9_.-]*)\\*["']?[ \t]*(?:=>|=|:)[ \t]*`)
	f.value = regexp.MustCompile(`^("(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|\\+"[^"]*"?|\\+'[^']*'?|[^\s"'&,;]+)`)
	return f
})

// Mask is text without what looks like a secret in it: the login of a link (mysql://app:…@db), the value of
// something that has a secret's name (APP_SECRET=…, "api_key": "…", also where the text around was quoted once
// more), a header's token. The rest stays as it is.
func Mask(text string) string {
	f := forms()
	text = f.login.ReplaceAllStringFunc(text, func(found string) string {
		parts := f.login.FindStringSubmatch(found)
		if !loginHides(parts[1], parts[2]) {
			return found
		}
		return parts[1] + Hidden + "@"
	})
	text = f.broken.ReplaceAllStringFunc(text, func(found string) string {
		parts := f.broken.FindStringSubmatch(found)
		if f.port.MatchString(parts[2]) {
			return found
		}
		return parts[1] + Hidden + "@"
	})
	text = f.header.ReplaceAllString(text, "${1}${2}"+Hidden)
	var out strings.Builder
	for {
		at := f.assigned.FindStringSubmatchIndex(text)
		if at == nil {
			return out.String() + text
		}
		name := text[at[2]:at[3]]
		out.WriteString(text[:at[1]])
		text = text[at[1]:]
		if !Name(name) { // what may be its value is not looked at: a host could have that done for every byte
			continue
		}
		if value := f.value.FindString(text); value != "" {
			out.WriteString(Hidden)
			text = text[len(value):]
		}
	}
}
