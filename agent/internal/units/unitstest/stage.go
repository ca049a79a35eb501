package unitstest

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/re-connect/rpctl/agent/internal/units"
)

// patience is how long a case waits for anything; it only passes when something is wrong.
const patience = 2 * time.Minute

// The programs of the units: sh, with a function `say` that tells the test how far it is.
// systemd signals a whole control group, and what is forked meanwhile too: what lingers must be deaf.
const (
	// Worker runs until it is told to end.
	Worker = `say up; exec sleep 1000`
	// Deaf ignores SIGTERM.
	Deaf = `trap '' TERM; say up; exec sleep 1000`
	// Lingering takes 1.4 s to end.
	Lingering = `trap 'trap "" TERM; say term; sleep 1.4; exit 0' TERM; say up; sleep 1000 & wait`
	// Crashing exits with status 3.
	Crashing = `say up; exit 3`
)

// Stage is what the units of one test are made of: a folder with their programs, and a
// FIFO in which the programs are heard.
type Stage struct {
	t      *testing.T
	folder string
	fifo   *os.File
	lines  *bufio.Reader
}

// NewStage makes a stage that goes when the test ends.
func NewStage(t *testing.T) *Stage {
	t.Helper()
	folder := t.TempDir()
	path := filepath.Join(folder, "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	// Open for both, so that no program ever waits for a reader; not blocking, for the deadline.
	fifo, err := os.OpenFile(path, os.O_RDWR|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = fifo.Close() })
	return &Stage{t, folder, fifo, bufio.NewReader(fifo)}
}

// Program is an argv that runs body, a text of sh.
func (s *Stage) Program(body string) []string {
	s.t.Helper()
	file, err := os.CreateTemp(s.folder, "program")
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	if _, err := fmt.Fprintf(file, "say() { echo \"$1\" > '%s'; }\n%s\n", s.fifo.Name(), body); err != nil {
		s.t.Fatal(err)
	}
	return []string{"/bin/sh", file.Name()}
}

// Hear waits until a program has said word.
func (s *Stage) Hear(word string) {
	s.t.Helper()
	if err := s.fifo.SetReadDeadline(time.Now().Add(patience)); err != nil {
		s.t.Fatal(err)
	}
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil {
			s.t.Fatalf("no program said %q: %v", word, err)
		}
		if line == word+"\n" {
			return
		}
	}
}

// lateness measures how late timers wake this process, until the test ends. On a slow machine a test cannot hold anybody
// to a second more exactly than that.
func lateness(t *testing.T) (most func() time.Duration) {
	t.Helper()
	const every = 10 * time.Millisecond
	var late atomic.Int64
	tick := time.NewTicker(every)
	go func() {
		for last := time.Now(); ; last = time.Now() {
			select {
			case <-t.Context().Done():
				tick.Stop()
				return
			case <-tick.C:
				late.Store(max(late.Load(), int64(time.Since(last)-every)))
			}
		}
	}()
	return func() time.Duration { return time.Duration(late.Load()) }
}

// record keeps what observe was called with, and when.
type record struct {
	mu    sync.Mutex
	seen  []units.State
	times []time.Time
}

func (r *record) observe(s units.State) {
	if !r.mu.TryLock() {
		panic("observe was called twice at once")
	}
	defer r.mu.Unlock()
	r.seen, r.times = append(r.seen, s), append(r.times, time.Now())
}

func (r *record) saw(active, sub string) bool {
	for _, s := range r.seen {
		if s.Active == active && s.Sub == sub {
			return true
		}
	}
	return false
}

// String is the way that a unit went, for a failure's message.
func (r *record) String() string {
	text := ""
	for i, s := range r.seen {
		text += fmt.Sprintf("\n  +%v %s/%s result=%s pid=%d", r.times[i].Sub(r.times[0]).Round(time.Millisecond), s.Active, s.Sub, s.Result, s.MainPID)
	}
	return text
}

// restart restarts unit and wants the result "done".
func restart(t *testing.T, host Host, unit string) *record {
	t.Helper()
	result, seen := tryRestart(t, host, unit)
	if result != "done" {
		t.Fatalf("restart of %s: result %q, want done; seen:%v", unit, result, seen)
	}
	return seen
}

func tryRestart(t *testing.T, host Host, unit string) (string, *record) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	seen := &record{}
	result, err := host.Manager.Restart(ctx, unit, seen.observe)
	if err != nil {
		t.Fatalf("restart of %s: %v; seen:%v", unit, err, seen)
	}
	return result, seen
}

func state(t *testing.T, host Host, unit string) units.State {
	t.Helper()
	s, err := host.Manager.State(t.Context(), unit)
	if err != nil {
		t.Fatalf("state of %s: %v", unit, err)
	}
	if s.Unit != unit {
		t.Fatalf("the state of %s is that of %q", unit, s.Unit)
	}
	return s
}

// await reads a unit until it is as wanted; the contract has no event for what happens outside a restart.
func await(t *testing.T, host Host, unit, what string, wanted func(units.State) bool) units.State {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		s := state(t, host, unit)
		if wanted(s) {
			return s
		}
		select {
		case <-deadline:
			t.Fatalf("%s did not become %s: %+v", unit, what, s)
		case <-tick.C:
		}
	}
}
