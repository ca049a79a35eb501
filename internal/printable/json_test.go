package printable

import (
	"encoding/json"
	"testing"
)

func TestJSON(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"plain é 日本 👩‍💻", `"plain é 日本 👩‍💻"`},
		{"\u009b31m \x7f", `"\u009b31m \u007f"`},
		{"user\u202egpj \ufeff", `"user\u202egpj \ufeff"`},
		{"tag \U000e0041", `"tag \udb40\udc41"`},
		{"\x1b[2J\n\ufffd\u2028", "\"\\u001b[2J\\n\ufffd\\u2028\""},
	} {
		encoded, err := json.Marshal(test.in)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(JSON(encoded)); got != test.want {
			t.Errorf("%q: %s, want %s", test.in, got, test.want)
		}
	}
}

func FuzzJSONKeepsItsMeaning(f *testing.F) {
	f.Add("\x1b[31mred\u009b31m\u202eback")
	f.Add("\U000e0001 \xff \u2028")
	f.Fuzz(func(t *testing.T, text string) {
		line, err := json.Marshal(text)
		if err != nil {
			t.Skip()
		}
		var before, after string
		if err := json.Unmarshal(line, &before); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(JSON(line), &after); err != nil || before != after {
			t.Errorf("%q became %q (%v)", before, after, err)
		}
		if shown := string(JSON(line)); Line(shown) != shown {
			t.Errorf("%q is not safe", shown)
		}
	})
}
