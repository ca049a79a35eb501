package printable

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestLine(t *testing.T) {
	cases := []struct{ name, in, want string }{
		{"plain", "worker 1: ok", "worker 1: ok"},
		{"empty", "", ""},
		{"accents and emoji", "équipe santé 👩‍💻 日本", "équipe santé 👩‍💻 日本"},
		{"tab", "a\tb", "a b"},
		{"newline", "a\r\nb", `a\r\nb`},
		{"colour", "\x1b[31mred", `\x1b[31mred`},
		{"title", "\x1b]0;pwned\x07", `\x1b]0;pwned\x07`},
		{"nul and delete", "\x00\x7f", `\x00\x7f`},
		{"C1 as a character", "\u009b31m", `\u009b31m`},
		{"C1 as a byte", "\x9b31m", `\x9b31m`},
		{"invalid UTF-8", "a\xff\xc3", `a\xff\xc3`},
		{"replacement character itself", "\ufffd", "\ufffd"},
		{"bidi override", "user\u202egpj", `user\u202egpj`},
		{"bidi isolate", "\u2066x\u2069", `\u2066x\u2069`},
		{"byte order mark", "\ufeffx", `\ufeffx`},
		{"zero-width space", "a\u200bb", `a\u200bb`},
		{"line separator", "a\u2028b", `a\u2028b`},
		{"tag character", "\U000e0041", `\U000e0041`},
		{"backslash", `C:\x1b`, `C:\x1b`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := Line(c.in); got != c.want {
				t.Errorf("Line(%q) = %q, want %q", c.in, got, c.want)
			}
		})
	}
}

func TestExcerpt(t *testing.T) {
	cases := []struct {
		in    string
		limit int
		want  string
	}{
		{"short", 10, "short"},
		{"exact", 5, "exact"},
		{"longer text", 6, "longer…"},
		{"éé", 3, "é…"},
		{"\xbf\xbf\xbf\xbf\xbf\xbf\xbf", 6, `\xbf\xbf` + "…"},
		{"abc", 0, "…"},
		{"abc", -1, "…"},
	}
	for _, c := range cases {
		if got := Excerpt(c.in, c.limit); got != c.want {
			t.Errorf("Excerpt(%q, %d) = %q, want %q", c.in, c.limit, got, c.want)
		}
	}
}

func FuzzLine(f *testing.F) {
	for _, seed := range []string{"", "ok", "\x1b[2J", "\u202e", "\x80\xff", "a\tb\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out := Line(s)
		if !utf8.ValidString(out) {
			t.Fatalf("Line(%q) = %q is no UTF-8", s, out)
		}
		if strings.ContainsFunc(out, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }) {
			t.Fatalf("Line(%q) = %q would act on a terminal", s, out)
		}
		if again := Line(out); again != out {
			t.Fatalf("Line is not stable: %q, then %q", out, again)
		}
		_ = Excerpt(s, len(s)/2)
	})
}
