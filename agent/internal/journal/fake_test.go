package journal

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/re-connect/rpctl/lab/filewatch"
	"github.com/re-connect/rpctl/proto"
)

// The test binary plays journalctl over the files of a folder: "entries" (JSON lines),
// or "script" with what it shall do instead.
func TestMain(m *testing.M) {
	if dir := os.Getenv("FAKE_JOURNAL"); dir != "" {
		os.Exit(playJournalctl(dir, os.Args[1:]))
	}
	os.Exit(m.Run())
}

func playJournalctl(dir string, args []string) int {
	os.WriteFile(filepath.Join(dir, "args"), []byte(strings.Join(args, "\n")), 0o600)
	switch script, _ := os.ReadFile(filepath.Join(dir, "script")); string(script) {
	case "no rights":
		fmt.Fprintln(os.Stderr, "No journal files were opened due to insufficient permissions.")
		return 1
	case "nothing":
		fmt.Println("-- No entries --")
		return 1
	case "deaf":
		signal.Ignore(syscall.SIGPIPE)
		for {
			if _, err := fmt.Println(encode("a@1.service", 0, "again")); err != nil {
				return 3
			}
		}
	}
	var units []string
	lines, follow := 0, false
	for _, arg := range args {
		if unit, ok := strings.CutPrefix(arg, "--unit="); ok {
			units = append(units, unit)
		}
		if n, ok := strings.CutPrefix(arg, "--lines="); ok {
			lines, _ = strconv.Atoi(n)
		}
		follow = follow || arg == "--follow"
	}
	return playEntries(filepath.Join(dir, "entries"), units, lines, follow)
}

func playEntries(path string, units []string, lines int, follow bool) int {
	seen, first := 0, true
	err := filewatch.Wait(context.Background(), filepath.Dir(path), func() bool {
		var fresh []string
		file, _ := os.Open(path)
		scanner := bufio.NewScanner(file)
		scanner.Buffer(nil, 8<<20)
		at := 0
		for scanner.Scan() {
			if at++; at > seen && about(scanner.Text(), units) {
				fresh = append(fresh, scanner.Text())
			}
		}
		file.Close()
		seen = at
		if first {
			first, fresh = false, fresh[max(len(fresh)-lines, 0):]
		}
		for _, line := range fresh {
			fmt.Println(line)
		}
		return !follow
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func about(line string, units []string) bool {
	return slices.ContainsFunc(units, func(u string) bool { return strings.Contains(line, strconv.Quote(u)) })
}

// encode writes an entry as journalctl does.
func encode(unit string, microseconds int64, message string) string {
	line, _ := json.Marshal(map[string]string{
		"__REALTIME_TIMESTAMP": strconv.FormatInt(microseconds, 10),
		"_SYSTEMD_UNIT":        unit, "PRIORITY": "5", "MESSAGE": message,
	})
	return string(line)
}

// fake is a Journalctl over a file, with a way to add lines as Memory has it.
type fake struct {
	Journalctl
	dir string
	mu  sync.Mutex
}

func newFake(t *testing.T) *fake {
	t.Helper()
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// A process under the race detector waits a second at its end, unless told not to.
	script := fmt.Sprintf("#!/bin/sh\nFAKE_JOURNAL='%s' GORACE=atexit_sleep_ms=0 exec '%s' \"$@\"\n", dir, self)
	if err := os.WriteFile(filepath.Join(dir, "journalctl"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return &fake{Journalctl: Journalctl{Program: filepath.Join(dir, "journalctl")}, dir: dir}
}

func (f *fake) Add(unit string, line proto.LogLine) {
	f.raw(encode(unit, line.Time.UnixMicro(), string(line.Message)))
}

func (f *fake) raw(line string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	file, err := os.OpenFile(filepath.Join(f.dir, "entries"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	defer file.Close()
	if _, err := file.WriteString(line + "\n"); err != nil {
		panic(err)
	}
}

func (f *fake) script(t *testing.T, what string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, "script"), []byte(what), 0o600); err != nil {
		t.Fatal(err)
	}
}
