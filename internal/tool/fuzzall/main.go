// Command fuzzall runs every fuzz target of the module for a while, one on each core:
// `go test -fuzz` takes one target of one package at a time.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"
)

func main() {
	each := flag.Duration("fuzztime", 10*time.Second, "how long each target runs")
	flag.Parse()
	if err := run(*each); err != nil {
		fmt.Fprintln(os.Stderr, "fuzzall:", err)
		os.Exit(1)
	}
}

func run(each time.Duration) error {
	list := exec.Command("go", "test", "-list", "^Fuzz", "./...")
	list.Stderr = os.Stderr
	out, err := list.Output()
	if err != nil {
		return fmt.Errorf("cannot list the fuzz targets: %w\n%s", err, out)
	}
	found := targets(out)
	if len(found) == 0 {
		return fmt.Errorf("cannot find a single fuzz target")
	}
	if err := fuzzAll(found, each); err != nil {
		return err
	}
	fmt.Printf("%d fuzz targets, %s each: nothing found\n", len(found), each)
	return nil
}

// fuzzAll has as many targets under way as there are cores, each with one worker: a target's
// build and start-up, which take as long as a short run, leave no core idle. It starts
// no more after the first failure, which is what it returns.
func fuzzAll(found []target, each time.Duration) error {
	var (
		group sync.WaitGroup
		mu    sync.Mutex
		first error
	)
	slots := make(chan struct{}, runtime.NumCPU())
	failed := func() bool { mu.Lock(); defer mu.Unlock(); return first != nil }
	for _, t := range found {
		slots <- struct{}{}
		if failed() {
			break
		}
		group.Go(func() {
			defer func() { <-slots }()
			if err := t.fuzz(each); err != nil {
				mu.Lock()
				defer mu.Unlock()
				if first == nil {
					first = err
				}
			}
		})
	}
	group.Wait()
	return first
}

type target struct{ pkg, name string }

// fuzz runs the target. Interesting inputs are minimized for a second at most: Go's own limit, a minute
// for each, leaves a short run with one worker no time to look for more.
func (t target) fuzz(each time.Duration) error {
	fmt.Printf("%s %s\n", t.pkg, t.name)
	cmd := exec.Command("go", "test", "-run", "^$", "-fuzz", "^"+t.name+"$", "-fuzztime", each.String(), "-fuzzminimizetime", "1s", "-parallel", "1", t.pkg)
	if out, err := cmd.CombinedOutput(); err != nil && !onlyOutOfTime(out) {
		return fmt.Errorf("%s in %s failed: %w\n%s", t.name, t.pkg, err, out)
	}
	return nil
}

// onlyOutOfTime is whether a run failed for nothing but that its time was over: up to Go 1.26 the end of
// -fuzztime races with the worker's (https://go.dev/issue/75804). What is found names its input or says more.
func onlyOutOfTime(out []byte) bool {
	_, verdict, found := bytes.Cut(out, []byte("--- FAIL: "))
	if !found || bytes.Contains(out, []byte("Failing input")) {
		return false
	}
	_, verdict, _ = bytes.Cut(verdict, []byte("\n"))
	return bytes.HasPrefix(verdict, []byte("    context deadline exceeded\nFAIL\n"))
}

// targets reads `go test -list`: names, then the line of the package that they are in.
func targets(out []byte) []target {
	var found []target
	var names []string
	for line := range bytes.Lines(out) {
		fields := strings.Fields(string(line))
		switch {
		case len(fields) == 1 && strings.HasPrefix(fields[0], "Fuzz"):
			names = append(names, fields[0])
		case len(fields) > 1 && fields[0] == "ok":
			for _, name := range names {
				found = append(found, target{fields[1], name})
			}
			names = nil
		}
	}
	return found
}
