package upload

import "testing"

func TestLastLineHasNoSecret(t *testing.T) {
	if got := lastLine([]byte("welcome\nPASSWORD=hush is wrong\x1b[2J\n")); got != `PASSWORD=[hidden] is wrong\x1b[2J` {
		t.Errorf("%q", got)
	}
}
