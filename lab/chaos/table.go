package chaos

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// tell says in a line how a run went.
func tell(w io.Writer, r Result) {
	if w == nil {
		return
	}
	struck := strings.Join(r.Faults, " + ")
	if struck == "" {
		struck = "nothing was there to be hit"
	}
	fmt.Fprintf(w, "seed %-6d %5.1f s  %s\n", r.Seed, r.Took.Seconds(), struck)
	for _, violation := range r.Violations {
		fmt.Fprintf(w, "    VIOLATION: %s\n", violation)
	}
}

// Table writes fault kind x runs x violations, and says whether there were none. A run in which two
// faults struck counts for both.
func (o Options) Table(w io.Writer, results []Result, took time.Duration) (clean bool) {
	fmt.Fprintf(w, "| fault | runs | violations | seeds |\n|---|---:|---:|---|\n")
	for _, f := range o.kinds() {
		row(w, f.name, chosen(results, func(r Result) bool { return slices.Contains(r.Faults, f.name) }))
	}
	row(w, "(nothing was there to be hit)", chosen(results, func(r Result) bool { return len(r.Faults) == 0 }))
	row(w, "**all**", results)
	anew := 0
	for _, r := range results {
		anew += r.Anew
	}
	fmt.Fprintf(w, "\n%d runs in %s; %d plans that had begun were simulated anew\n", len(results), took.Round(time.Second), anew)
	return !slices.ContainsFunc(results, violated)
}

func row(w io.Writer, name string, results []Result) {
	var seeds []string
	for _, r := range results {
		if violated(r) {
			seeds = append(seeds, fmt.Sprint(r.Seed))
		}
	}
	fmt.Fprintf(w, "| %s | %d | %d | %s |\n", name, len(results), len(seeds), strings.Join(seeds, ", "))
}

func violated(r Result) bool { return len(r.Violations) > 0 }

func chosen(results []Result, keep func(Result) bool) []Result {
	var kept []Result
	for _, r := range results {
		if keep(r) {
			kept = append(kept, r)
		}
	}
	return kept
}
