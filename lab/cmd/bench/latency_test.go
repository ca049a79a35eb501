package main

import (
	"slices"
	"testing"
	"time"
)

func TestBehind(t *testing.T) {
	at := func(ms int) time.Time { return time.UnixMilli(int64(ms)) }
	rows := [][]time.Time{{at(100), at(150)}, {at(300)}}
	late, err := bars{{0, 2, at(60)}, {1, 2, at(120)}, {2, 2, at(155)}, {0, 1, at(280)}, {1, 1, at(330)}}.behind(rows)
	want := []time.Duration{20 * time.Millisecond, 5 * time.Millisecond, 30 * time.Millisecond}
	if err != nil || !slices.Equal(late, want) {
		t.Errorf("%v, %v; want %v", late, err, want)
	}
	for name, drawings := range map[string]bars{
		"no beginning":      {{1, 2, at(120)}},
		"of other rows":     {{0, 3, at(60)}, {1, 3, at(120)}},
		"more than the run": {{0, 2, at(60)}, {3, 2, at(120)}},
		"a third bar":       {{0, 2, at(60)}, {0, 1, at(60)}, {0, 1, at(60)}, {1, 1, at(60)}},
	} {
		if late, err := drawings.behind(rows); err == nil {
			t.Errorf("%s: %v", name, late)
		}
	}
}

func TestProgressIsFound(t *testing.T) {
	for text, found := range map[string]bool{"\n  5/41 [": true, "\x1b[1G\x1b[2K  5/41 [": true, "step 1/8 is done [": false, "[": false} {
		if progress.MatchString(text) != found {
			t.Errorf("%q: found %v", text, !found)
		}
	}
}
