// Command fuzzall runs every fuzz target of the module for a while, one after the
// other: `go test -fuzz` takes one target of one package at a time.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
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
	for _, t := range found {
		fmt.Printf("%s %s\n", t.pkg, t.name)
		cmd := exec.Command("go", "test", "-run", "^$", "-fuzz", "^"+t.name+"$", "-fuzztime", each.String(), t.pkg)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s in %s failed: %w\n%s", t.name, t.pkg, err, out)
		}
	}
	fmt.Printf("%d fuzz targets, %s each: nothing found\n", len(found), each)
	return nil
}

type target struct{ pkg, name string }

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
