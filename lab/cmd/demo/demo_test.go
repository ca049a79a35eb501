package main

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/lab/labtest"
)

// TestDemo tells the whole story, keeps the hosts, and presses Ctrl-C: nothing may be left.
func TestDemo(t *testing.T) {
	command := exec.CommandContext(t.Context(), filepath.Join(labtest.Build(t, labtest.Rpctl, "lab/cmd/demo"), "demo"), "-keep")
	tmp := t.TempDir()
	command.Env = append(os.Environ(), "TMPDIR="+tmp)
	var errs bytes.Buffer
	command.Stderr = &errs
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	var told strings.Builder
	for lines := bufio.NewScanner(out); lines.Scan(); {
		told.WriteString(lines.Text() + "\n")
		if strings.HasPrefix(lines.Text(), "The inventory is ") {
			break
		}
	}
	left := workers(told.String())
	_ = command.Process.Signal(os.Interrupt)
	if err := command.Wait(); err != nil {
		t.Fatalf("%v\n%s%s", err, told.String(), errs.String())
	}
	if entries, err := os.ReadDir(tmp); err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	for _, pid := range left {
		if _, err := os.Stat("/proc/" + pid); err == nil {
			t.Errorf("worker %s runs on", pid)
		}
	}
}

// workers is the process ids that `rp-agent status` showed.
func workers(told string) []string {
	var pids []string
	for _, row := range regexp.MustCompile(`(?m)^messenger_worker\S+ +running +\S+ +(\d+)`).FindAllStringSubmatch(told, -1) {
		pids = append(pids, row[1])
	}
	return pids
}
