// Package enginetest holds every engine of jobs to the same contract. Commands are
// small shell scripts, so that the suite runs on any host.
package enginetest

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/re-connect/rpctl/agent/internal/jobs"
	"github.com/re-connect/rpctl/agent/internal/jobs/console"
	"github.com/re-connect/rpctl/agent/internal/jobs/runner"
	"github.com/re-connect/rpctl/proto"
)

// Host is where an engine is tried. A run ID executes `sh Scripts/ID.sh`; the runner of job ID
// appends a line to Scripts/ID.runs, and lives until Scripts/ID.done is there.
type Host struct {
	Engine  jobs.Engine
	Folders console.Folders
	Scripts string
}

// Run tries an engine on a host that host makes for each case.
func Run(t *testing.T, host func(t *testing.T) Host) {
	for name, try := range map[string]func(*testing.T, Host){
		"a command runs to its end":          toItsEnd,
		"a command fails":                    fails,
		"a run is started once":              once,
		"a command is stopped":               stopped,
		"what a command leaves is ended":     leaves,
		"what never ran":                     never,
		"a runner is started once at a time": oneRunner,
	} {
		t.Run(name, func(t *testing.T) { try(t, host(t)) })
	}
}

// newJob makes ids that no case before has used on this machine.
func newJob(t *testing.T) proto.JobID {
	t.Helper()
	return proto.JobID(strings.ToLower(strings.ReplaceAll(time.Now().UTC().Format("t20060102150405.000000000"), ".", "")))
}

func (h Host) script(t *testing.T, text string) console.ID {
	t.Helper()
	id := console.NewID(newJob(t), 0)
	if err := os.WriteFile(filepath.Join(h.Scripts, string(id)+".sh"), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return id
}

func (h Host) start(t *testing.T, id console.ID) {
	t.Helper()
	if err := h.Engine.StartConsole(t.Context(), id); err != nil {
		t.Fatal(err)
	}
}

// end waits for the record, and holds that the command counts as alive until it is there.
func (h Host) end(t *testing.T, id console.ID) console.End {
	t.Helper()
	var end console.End
	until(t, "it ends", func() bool {
		alive, err := h.Engine.ConsoleAlive(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		var recorded bool
		if end, recorded, err = h.Folders.ReadEnd(id); err != nil {
			t.Fatal(err)
		}
		if !alive && !recorded {
			t.Fatal("it counts as gone, and has no record of its end")
		}
		return recorded
	})
	return end
}

// until asks again and again: an engine answers questions, and tells nothing by itself.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	again := time.NewTicker(2 * time.Millisecond)
	defer again.Stop()
	for !done() {
		select {
		case <-again.C:
		case <-deadline:
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

func (h Host) output(t *testing.T, id console.ID) (out, errs string) {
	t.Helper()
	o, err := os.ReadFile(h.Folders.Stdout(id))
	if err != nil {
		t.Fatal(err)
	}
	e, err := os.ReadFile(h.Folders.Stderr(id))
	if err != nil {
		t.Fatal(err)
	}
	return string(o), string(e)
}

func toItsEnd(t *testing.T, h Host) {
	id := h.script(t, `printf 'a\r\033[1mb\377\000no end'; printf 'wrong' >&2; sleep 0.1`)
	h.start(t, id)
	end := h.end(t, id)
	out, errs := h.output(t, id)
	if !end.OK() || end.Cut() || out != "a\r\x1b[1mb\xff\x00no end" || errs != "wrong" {
		t.Errorf("%+v, %q, %q", end, out, errs)
	}
}

func fails(t *testing.T, h Host) {
	id := h.script(t, "exit 3")
	h.start(t, id)
	if end := h.end(t, id); end.OK() || end.Cut() || end.Code != "exited" || end.Status != "3" {
		t.Errorf("%+v", end)
	}
}

func once(t *testing.T, h Host) {
	id := h.script(t, "echo ran")
	h.start(t, id)
	first := h.end(t, id)
	h.gone(t, id)
	_ = h.Engine.StartConsole(t.Context(), id) // an error or not, nothing runs
	h.gone(t, id)
	out, _ := h.output(t, id)
	if again := h.end(t, id); again != first || out != "ran\n" {
		t.Errorf("%+v, then %+v; %q", first, again, out)
	}
}

// gone waits until a run that has ended does not count as alive.
func (h Host) gone(t *testing.T, id console.ID) {
	t.Helper()
	until(t, "it goes", func() bool {
		alive, err := h.Engine.ConsoleAlive(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return !alive
	})
}

func stopped(t *testing.T, h Host) {
	id := h.script(t, "echo up; exec sleep 1000")
	h.start(t, id)
	until(t, "it is up", func() bool {
		out, _ := os.ReadFile(h.Folders.Stdout(id)) // it may not be there yet
		return string(out) == "up\n"
	})
	if err := h.Engine.StopConsole(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if end := h.end(t, id); end.OK() || !end.Cut() || end.Status != "TERM" {
		t.Errorf("%+v", end)
	}
}

// leaves: a child that stays behind does not keep writing after the end.
func leaves(t *testing.T, h Host) {
	id := h.script(t, "(sleep 1000; echo late) & echo first")
	h.start(t, id)
	if end := h.end(t, id); !end.OK() {
		t.Errorf("%+v", end)
	}
	h.gone(t, id)
}

func never(t *testing.T, h Host) {
	id := console.NewID(newJob(t), 7)
	if alive, err := h.Engine.ConsoleAlive(t.Context(), id); alive || err != nil {
		t.Errorf("%v, %v", alive, err)
	}
	if err := h.Engine.StopConsole(t.Context(), id); err != nil {
		t.Errorf("stop: %v", err)
	}
	if err := h.Engine.StartConsole(t.Context(), "../../etc"); !errors.Is(err, runner.ErrNotStarted) {
		t.Errorf("an id that is none: %v", err)
	}
}

func oneRunner(t *testing.T, h Host) {
	id := newJob(t)
	if alive, err := h.Engine.RunnerAlive(t.Context(), id); alive || err != nil {
		t.Fatalf("before: %v, %v", alive, err)
	}
	for range 3 {
		if err := h.Engine.StartRunner(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	runs := filepath.Join(h.Scripts, string(id)+".runs")
	until(t, "the runner begins", func() bool {
		data, _ := os.ReadFile(runs)
		return len(data) > 0
	})
	if alive, err := h.Engine.RunnerAlive(t.Context(), id); !alive || err != nil {
		t.Errorf("while it runs: %v, %v", alive, err)
	}
	if err := os.WriteFile(filepath.Join(h.Scripts, string(id)+".done"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	until(t, "the runner is gone", func() bool {
		alive, err := h.Engine.RunnerAlive(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return !alive
	})
	if data, err := os.ReadFile(runs); err != nil || string(data) != "run\n" {
		t.Errorf("it ran %q, %v", data, err)
	}
}
