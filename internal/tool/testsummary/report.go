package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// insideVar marks tests that skip themselves here because they run inside a lab's
// host; insideTest is the test that takes them there.
const (
	insideVar  = "RPCTL_LAB_HOST"
	insideTest = "TestInside"
)

// report turns events into the lines of a plain `go test`, and counts the skipped.
type report struct {
	out     io.Writer
	pending map[[2]string][]string // output of tests that have not ended, by package and test
	skipped map[string]int         // by reason
	inside  bool                   // insideTest passed
}

func newReport(out io.Writer) *report {
	return &report{out: out, pending: map[[2]string][]string{}, skipped: map[string]int{}}
}

func (r *report) take(e event) {
	key := [2]string{e.Package, e.Test}
	switch {
	case e.Action == "build-output":
		fmt.Fprint(r.out, e.Output)
	case e.Action == "output" && e.Test == "":
		if e.Output != "PASS\n" {
			fmt.Fprint(r.out, e.Output)
		}
	case e.Action == "output":
		r.pending[key] = append(r.pending[key], e.Output)
	case e.Action == "fail" && e.Test == "":
		r.showUnfinished(e.Package)
	case e.Action == "fail":
		r.show(key)
	case e.Action == "skip" && e.Test != "":
		r.skipped[reason(r.pending[key])]++
		delete(r.pending, key)
	case e.Action == "pass":
		r.inside = r.inside || e.Test == insideTest
		delete(r.pending, key)
	}
}

func (r *report) show(key [2]string) {
	for _, line := range r.pending[key] {
		if !strings.HasPrefix(line, "=== ") {
			fmt.Fprint(r.out, line)
		}
	}
	delete(r.pending, key)
}

// showUnfinished shows what tests said that a panic or a timeout ended.
func (r *report) showUnfinished(pkg string) {
	keys := slices.Collect(maps.Keys(r.pending))
	slices.SortFunc(keys, func(a, b [2]string) int { return cmp.Compare(a[1], b[1]) })
	for _, key := range keys {
		if key[0] == pkg {
			r.show(key)
		}
	}
}

var logLine = regexp.MustCompile(`^\s+\S+\.go:\d+: (.+)`)

// reason is what a skipped test said last.
func reason(output []string) string {
	for _, line := range slices.Backward(output) {
		if m := logLine.FindStringSubmatch(line); m != nil {
			return strings.TrimSpace(m[1])
		}
	}
	return "no reason given"
}

// summary is the last line: how many tests were skipped, and why.
func (r *report) summary() string {
	total := 0
	var whys []string
	reasons := slices.Sorted(maps.Keys(r.skipped))
	for _, why := range reasons {
		if r.inside && strings.Contains(why, insideVar) {
			continue // TestInside ran them
		}
		total += r.skipped[why]
		whys = append(whys, fmt.Sprintf("%s (%d)", why, r.skipped[why]))
	}
	if total == 0 {
		return "skipped: no test"
	}
	return fmt.Sprintf("skipped: %d tests: %s", total, strings.Join(whys, "; "))
}
