package supervisor

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/re-connect/rpctl/agent/internal/units"
	"github.com/re-connect/rpctl/agent/internal/units/unitstest"
)

func TestNewRefuses(t *testing.T) {
	good := Definition{Name: "a@1.service", Argv: []string{"/bin/true"}}
	tests := []struct {
		name  string
		units []Definition
		want  string
	}{
		{"a name that is none", []Definition{{Name: "a", Argv: good.Argv}}, "no name of a service"},
		{"a pattern", []Definition{{Name: "a@*.service", Argv: good.Argv}}, "no name of a service"},
		{"no argv", []Definition{{Name: "a.service"}}, "absolute path"},
		{"a word to look up", []Definition{{Name: "a.service", Argv: []string{"true"}}}, "absolute path"},
		{"a unit twice", []Definition{good, good}, "twice"},
	}
	for _, test := range tests {
		if _, err := New(Options{Units: test.units}); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
	if _, err := New(Options{Units: []Definition{good, {Name: "a@.service", Argv: good.Argv}, {Name: "m.service", Masked: true}}}); err != nil {
		t.Errorf("good definitions: %v", err)
	}
}

// logged gathers what units say.
type logged struct {
	mu    sync.Mutex
	lines map[string][]string
	came  chan struct{}
}

func newLogged() *logged {
	return &logged{lines: map[string][]string{}, came: make(chan struct{}, 64)}
}

func (l *logged) log(unit string, line []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines[unit] = append(l.lines[unit], string(line))
	l.came <- struct{}{}
}

func (l *logged) wait(t *testing.T, n int) {
	t.Helper()
	deadline := time.After(2 * time.Minute)
	for range n {
		select {
		case <-l.came:
		case <-deadline:
			t.Fatalf("waited for %d lines, have %q", n, l.lines)
		}
	}
}

func TestOutputFolderAndEnvironment(t *testing.T) {
	folder, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	log := newLogged()
	s := open(t, Options{Log: log.log, Units: []Definition{{
		Name: "talk@.service", Dir: folder, Env: []string{"NAME=%i"},
		Argv: []string{"/bin/sh", "-c", `pwd -P; echo "$NAME $HOME" >&2; printf 'no newline'`},
	}}})
	if result, err := s.Restart(t.Context(), "talk@one.service", func(units.State) {}); err != nil || result != "done" {
		t.Fatalf("Restart = %q, %v", result, err)
	}
	log.wait(t, 3)
	log.mu.Lock()
	defer log.mu.Unlock()
	all := strings.Join(log.lines["talk@one.service"], "|")
	for _, want := range []string{folder, "one ", "no newline"} {
		if !strings.Contains("|"+all+"|", "|"+want+"|") {
			t.Errorf("the log has %q, want a line %q", all, want)
		}
	}
}

func TestMissingProgram(t *testing.T) {
	log := newLogged()
	s := open(t, Options{Log: log.log, Units: []Definition{{Name: "none.service", Argv: []string{"/nowhere/at/all"}}}})
	if result, err := s.Restart(t.Context(), "none.service", func(units.State) {}); err != nil || result != "done" {
		t.Fatalf("Restart = %q, %v", result, err)
	}
	got, err := s.State(t.Context(), "none.service")
	if err != nil || got.Active != "failed" || got.Result != "exit-code" || got.ExitCode != exitExec {
		t.Errorf("%+v, %v", got, err)
	}
	log.wait(t, 1)
}

func TestBootStartsWhatIsEnabled(t *testing.T) {
	stage := unitstest.NewStage(t)
	argv := stage.Program(unitstest.Worker)
	s := open(t, Options{Units: []Definition{
		{Name: "w@1.service", Argv: argv, Enabled: true}, {Name: "w@2.service", Argv: argv},
		{Name: "w@3.service", Masked: true, Enabled: true}, {Name: "w@.service", Argv: argv, Enabled: true},
	}})
	s.Boot()
	stage.Hear("up")
	for unit, want := range map[string]bool{"w@1.service": true, "w@2.service": false, "w@3.service": false} {
		if got, err := s.State(t.Context(), unit); err != nil || got.Running() != want {
			t.Errorf("%s after boot: %+v, %v", unit, got, err)
		}
	}
}

// TestCloseLeavesNobody: neither a deaf process nor its children outlive the supervisor. Both hold a FIFO open:
// its end says that they are dead, which /proc shows a moment later.
func TestCloseLeavesNobody(t *testing.T) {
	stage := unitstest.NewStage(t)
	alive := filepath.Join(t.TempDir(), "alive")
	if err := syscall.Mkfifo(alive, 0o600); err != nil {
		t.Fatal(err)
	}
	reader, err := os.OpenFile(alive, os.O_RDONLY|syscall.O_NONBLOCK, 0) // waits for no writer, and has a deadline
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	s := open(t, Options{Units: []Definition{{Name: "deaf.service", TimeoutStop: time.Hour, Restart: true,
		Argv: append(stage.Program(`trap '' TERM; exec 3>"$1"; sleep 1000 & say up; wait`), alive)}}})
	if _, err := s.Restart(t.Context(), "deaf.service", func(units.State) {}); err != nil {
		t.Fatal(err)
	}
	stage.Hear("up")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := reader.SetReadDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, reader); err != nil {
		t.Errorf("a process of the unit is still there: %v", err)
	}
	if result, err := s.Restart(t.Context(), "deaf.service", func(units.State) {}); err != nil || result != "canceled" {
		t.Errorf("Restart after Close = %q, %v", result, err)
	}
}

func FuzzReadLines(f *testing.F) {
	f.Add([]byte("one\ntwo"))
	f.Add([]byte("\n\n\x00\xff\r\n"))
	f.Add(append(bytes.Repeat([]byte("x"), 2*MaxLine), '\n', '\n', 'y'))
	f.Add(append(bytes.Repeat([]byte("x"), MaxLine-1), '\n'))
	f.Fuzz(func(t *testing.T, output []byte) {
		var lines [][]byte
		readLines(bytes.NewReader(output), func(line []byte) { lines = append(lines, line) })
		var all []byte
		for _, line := range lines {
			if len(line) > MaxLine || bytes.ContainsRune(line, '\n') {
				t.Fatalf("a line of %d bytes: %.80q", len(line), line)
			}
			all = append(all, line...)
		}
		if want := bytes.ReplaceAll(output, []byte("\n"), nil); !bytes.Equal(all, want) {
			t.Fatalf("%d bytes came out of %d", len(all), len(want))
		}
		if want := len(bytes.Split(bytes.TrimSuffix(output, []byte("\n")), []byte("\n"))); len(output) > 0 && len(lines) < want && len(output) < MaxLine {
			t.Fatalf("%d lines, want %d", len(lines), want)
		}
	})
}
