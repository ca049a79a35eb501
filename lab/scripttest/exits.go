// Package scripttest is what the command lines in testdata have on top of testscript's own commands.
package scripttest

import (
	"regexp"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"
)

// Exits is a command of scripts: `exits CODE PROGRAM ARG…` runs a program and holds it to its exit code.
func Exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		status := exitStatus.FindStringSubmatch(err.Error())
		if status == nil {
			ts.Fatalf("%v", err)
		}
		got, _ = strconv.Atoi(status[1])
	}
	if got != want {
		ts.Fatalf("exit %d, want %d", got, want)
	}
}

var exitStatus = regexp.MustCompile(`exit status (\d+)`)
