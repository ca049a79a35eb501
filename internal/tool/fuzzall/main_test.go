package main

import (
	"slices"
	"testing"
)

func TestTargets(t *testing.T) {
	out := "FuzzA\nFuzzB\nok  \texample/p\t0.01s\n?   \texample/q\t[no test files]\nFuzzC\nok  \texample/r\t(cached)\nok  \texample/s\t0.1s\n"
	want := []target{{"example/p", "FuzzA"}, {"example/p", "FuzzB"}, {"example/r", "FuzzC"}}
	if got := targets([]byte(out)); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
