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

func TestOnlyOutOfTime(t *testing.T) {
	for out, want := range map[string]bool{
		"fuzz: elapsed: 11s\n--- FAIL: FuzzA (11.03s)\n    context deadline exceeded\nFAIL\nexit status 1\n":                     true,
		"--- FAIL: FuzzA (1s)\n    --- FAIL: FuzzA (0.00s)\n        a_test.go:3: wrong\n    Failing input written to testdata\n": false,
		"--- FAIL: FuzzA (11s)\n    context deadline exceeded\n    Failing input written to testdata\nFAIL\n":                    false,
		"--- FAIL: FuzzA (2s)\n    fuzzing process hung or terminated unexpectedly: exit status 2\nFAIL\n":                       false,
		"panic: context deadline exceeded\n": false,
	} {
		if got := onlyOutOfTime([]byte(out)); got != want {
			t.Errorf("%q: %v, want %v", out, got, want)
		}
	}
}
