package cuts_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime/pprof"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Labels of goroutines: which sweep they belong to, on either side of the line, and those of rpctl to which cut.
const (
	sweepLabel = "sweep"
	cutLabel   = "cut"
)

// labelled does something in the name of a sweep: what it starts belongs to that.
func labelled(t *testing.T, do func(context.Context)) {
	pprof.Do(t.Context(), pprof.Labels(sweepLabel, t.Name()), do)
}

// groupSize is how many goroutines stand in the same place.
var groupSize = regexp.MustCompile(`(?m)^(\d+) @`)

// goroutines are those of a sweep: how many, and where they stand.
func goroutines(t *testing.T) (n int, where string) {
	t.Helper()
	var all bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&all, 1); err != nil {
		t.Fatal(err)
	}
	for _, group := range strings.Split(all.String(), "\n\n") {
		size := groupSize.FindStringSubmatch(group)
		if size == nil || !strings.Contains(group, fmt.Sprintf("%q:%q", sweepLabel, t.Name())) {
			continue
		}
		count, _ := strconv.Atoi(size[1]) // digits
		n, where = n+count, where+group+"\n\n"
	}
	return n, where
}

// goroutinesStay wants as many as there were, after thousands of connections that were cut.
func goroutinesStay(t *testing.T, before int) {
	t.Helper()
	settles(t, func() (string, bool) {
		n, where := goroutines(t)
		return fmt.Sprintf("%d goroutines were here before, and %d now:\n%s", before, n, where[:min(len(where), 20_000)]), n <= before
	})
}

// noneOpen wants no socket after a test that it did not begin with.
func noneOpen(t *testing.T) {
	before := sockets()
	t.Cleanup(func() {
		settles(t, func() (string, bool) {
			now := sockets()
			return fmt.Sprintf("%d sockets were open before, and %d now", before, now), now <= before
		})
	})
}

// sockets is how many this process has; none where there is no /proc.
func sockets() (n int) {
	links, _ := filepath.Glob("/proc/self/fd/*")
	for _, link := range links {
		if name, _ := os.Readlink(link); strings.HasPrefix(name, "socket:") { // a file may be gone by now
			n++
		}
	}
	return n
}

// settles looks until all is well: nobody is told when a goroutine has ended.
func settles(t *testing.T, look func() (problem string, well bool)) {
	t.Helper()
	deadline := time.NewTimer(goneWithin)
	defer deadline.Stop()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		problem, well := look()
		if well {
			return
		}
		select {
		case <-again.C:
		case <-deadline.C:
			t.Error(problem)
			return
		}
	}
}
