// Package labtest is what tests on real hosts share. It lets a test have a lab, or says why
// there is none: without root or off Debian the test is skipped; with LAB=required, as in CI,
// it fails. Then it has the hosts as root sees them, and the real rpctl as a developer types it.
package labtest

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/re-connect/rpctl/lab"
)

// Need skips the test where no lab is possible, or fails it when LAB=required.
func Need(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("the lab is left out by -short")
	}
	os.Getenv("LAB_RUN") // makes go run the test again on each `make test`
	err := lab.Possible()
	switch {
	case err == nil:
	case os.Getenv("LAB") == "required":
		t.Fatalf("LAB=required, but %v", err)
	default:
		t.Skip(err)
	}
}

// EachSuite runs a test on Debian 12 and on Debian 13, or on the one that LAB_SUITE names.
func EachSuite(t *testing.T, f func(t *testing.T, suite lab.Suite)) {
	t.Helper()
	Need(t)
	suites := lab.Suites
	if only := os.Getenv("LAB_SUITE"); only != "" {
		suites = []lab.Suite{lab.Suite(only)}
	}
	for _, suite := range suites {
		t.Run(string(suite), func(t *testing.T) { f(t, suite) })
	}
}

// Chapters are a story on one stage: each begins where the one before ended.
type Chapters[Stage any] []struct {
	Name string
	Play func(*testing.T, Stage)
}

// Play plays the chapters in their order, up to the first that fails: the later ones build on it.
func (all Chapters[Stage]) Play(t *testing.T, stage Stage) {
	t.Helper()
	for _, c := range all {
		began := time.Now()
		if !t.Run(c.Name, func(t *testing.T) { c.Play(t, stage) }) {
			t.Fatalf("the chapters after %q build on it", c.Name)
		}
		t.Logf("%s: %.1f s", c.Name, time.Since(began).Seconds())
	}
}

// Up makes a lab that goes down with the test. It waits for the slot when another test has it.
func Up(t testing.TB, o lab.Options) *lab.Lab {
	t.Helper()
	Need(t)
	o.Wait = true
	if o.Log == nil {
		o.Log = t.Output()
	}
	l, err := lab.Up(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		if err := l.Down(ctx); err != nil {
			t.Error(err)
		}
	})
	return l
}
