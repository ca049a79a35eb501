// Command testsummary runs `go test` and shows what it would show, and as its last
// line how many tests were skipped and why: a lab that was left out must be seen.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

func main() {
	cmd := exec.Command("go", append([]string{"test", "-json"}, os.Args[1:]...)...)
	cmd.Stderr = os.Stderr
	// Tests that use the lab read this (see labtest.Need): what they find on the machine
	// is not among the inputs by which go knows whether a cached result still holds.
	cmd.Env = append(os.Environ(), "LAB_RUN="+time.Now().Format(time.RFC3339Nano))
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "testsummary: cannot run go test:", err)
		os.Exit(1)
	}
	r := newReport(os.Stdout)
	readErr := r.read(out)
	if err := cmd.Wait(); err != nil || readErr != nil {
		if readErr != nil {
			fmt.Fprintln(os.Stderr, "testsummary: cannot read what go test says:", readErr)
		}
		fmt.Println(r.summary())
		os.Exit(1)
	}
	fmt.Println(r.summary())
}

// event is one line of `go test -json`, see `go doc test2json`.
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
}

// read shows the events as they come.
func (r *report) read(in io.Reader) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil {
				fmt.Fprintf(r.out, "%s", line) // what is not JSON is go's own complaint
			} else {
				r.take(e)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
