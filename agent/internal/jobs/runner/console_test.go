package runner

import (
	"testing"
	"time"
)

// A short command's end is seen at once, and nobody waits 100 ms for that of a long one.
func TestNextLook(t *testing.T) {
	for waited, want := range map[time.Duration]time.Duration{
		0:                      10 * time.Millisecond,
		400 * time.Millisecond: 20 * time.Millisecond,
		time.Hour:              50 * time.Millisecond,
	} {
		if got := nextLook(waited); got != want {
			t.Errorf("after %s the next look is in %s, want %s", waited, got, want)
		}
	}
}
