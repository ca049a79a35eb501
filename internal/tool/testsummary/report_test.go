package main

import (
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	tests := []struct{ name, events, shown, summary string }{
		{
			name: "a passed test says nothing",
			events: `{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"noise\n"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Output":"PASS\n"}
{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}`,
			shown:   "ok  \tp\t0.1s\n",
			summary: "skipped: no test",
		},
		{
			name: "a failed test is shown",
			events: `{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:1: bad\n"}
{"Action":"fail","Package":"p","Test":"TestA"}`,
			shown:   "    a_test.go:1: bad\n",
			summary: "skipped: no test",
		},
		{
			name: "a panic shows the test that it ended",
			events: `{"Action":"output","Package":"p","Test":"TestA","Output":"panic: oh\n"}
{"Action":"fail","Package":"p"}`,
			shown:   "panic: oh\n",
			summary: "skipped: no test",
		},
		{
			name: "skips are counted by reason",
			events: `{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:1: the lab needs root\n"}
{"Action":"skip","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:9: the lab needs root\n"}
{"Action":"output","Package":"p","Test":"TestB","Output":"--- SKIP: TestB (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestB"}
{"Action":"skip","Package":"p","Test":"TestC"}
{"Action":"skip","Package":"q"}`,
			summary: "skipped: 3 tests: no reason given (1); the lab needs root (2)",
		},
		{
			name: "what ran inside a host is not skipped",
			events: `{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:1: RPCTL_LAB_HOST=1 is not set\n"}
{"Action":"skip","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"lab","Test":"TestInside"}`,
			summary: "skipped: no test",
		},
		{
			name: "what should run inside a host and did not is skipped",
			events: `{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:1: RPCTL_LAB_HOST=1 is not set\n"}
{"Action":"skip","Package":"p","Test":"TestA"}`,
			summary: "skipped: 1 tests: RPCTL_LAB_HOST=1 is not set (1)",
		},
		{
			name:    "what go itself says is shown",
			events:  "go: no such package\n" + `{"Action":"build-output","ImportPath":"p","Output":"x.go:1: bad\n"}`,
			shown:   "go: no such package\nx.go:1: bad\n",
			summary: "skipped: no test",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var shown strings.Builder
			r := newReport(&shown)
			if err := r.read(strings.NewReader(tt.events)); err != nil {
				t.Fatal(err)
			}
			if shown.String() != tt.shown {
				t.Errorf("shown %q, want %q", shown.String(), tt.shown)
			}
			if got := r.summary(); got != tt.summary {
				t.Errorf("summary %q, want %q", got, tt.summary)
			}
		})
	}
}
