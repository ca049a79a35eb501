package exit

import "testing"

func TestWord(t *testing.T) {
	for word, want := range map[string]string{
		"plan.toml": "plan.toml", "~/a": "'~/a'", "a~": "a~", "1.1=rerun": "1.1=rerun", "été.toml": "été.toml",
		"": "''", "bad one.toml": "'bad one.toml'", "it's": `'it'\''s'`, "[::1]:22": "'[::1]:22'", "worker@*": "'worker@*'", "a;b": "'a;b'",
	} {
		if got := Word(word); got != want {
			t.Errorf("%q: %s, want %s", word, got, want)
		}
	}
}
