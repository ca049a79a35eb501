package labtest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/re-connect/rpctl/lab"
)

// Developer types rpctl with --json in the work tree of a lab.
type Developer struct {
	Bin       string        // the folder that Build made rpctl in
	Inventory string        // their hosts.toml
	Limit     time.Duration // for one rpctl, which is killed after it; 0 is as long as its test
	lab       *lab.Lab
}

// NewDeveloper is the developer of a lab, with its own inventory and without a limit.
func NewDeveloper(l *lab.Lab, bin string) Developer {
	return Developer{Bin: bin, Inventory: l.HostsTOML(), lab: l}
}

// Rpctl runs rpctl and fails the test unless it ends with this exit code.
func (d Developer) Rpctl(t testing.TB, want int, args ...string) Outcome {
	t.Helper()
	return d.Start(t, args...).Ends(t, want)
}

// Start starts rpctl. It is killed when the test is over.
func (d Developer) Start(t testing.TB, args ...string) *Running {
	t.Helper()
	ctx := t.Context()
	if d.Limit > 0 {
		limited, cancel := context.WithTimeout(ctx, d.Limit)
		t.Cleanup(cancel)
		ctx = limited
	}
	common := []string{"--json", "--ssh-config", d.lab.SSHConfig(), "--hosts", d.Inventory}
	r := &Running{typed: args, cmd: exec.CommandContext(ctx, filepath.Join(d.Bin, "rpctl"), append(common, args...)...)}
	r.cmd.Dir = d.lab.WorkTree()
	r.cmd.Env = append(r.cmd.Environ(), "USER=developer", "XDG_STATE_HOME="+filepath.Join(filepath.Dir(d.lab.SSHConfig()), "state"))
	r.cmd.Stderr = &r.stderr
	r.cmd.WaitDelay = 5 * time.Second
	stdout, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r.lines = bufio.NewScanner(stdout)
	r.lines.Buffer(nil, 4<<20)
	return r
}

// Running is an rpctl whose events are read as they come, by one goroutine.
type Running struct {
	typed  []string
	cmd    *exec.Cmd
	lines  *bufio.Scanner
	stderr bytes.Buffer
	seen   []Event
}

// next is the next event; io.EOF when rpctl says no more.
func (r *Running) next(t testing.TB) (Event, error) {
	t.Helper()
	if !r.lines.Scan() {
		return Event{}, errors.Join(r.lines.Err(), io.EOF)
	}
	var one Event
	if err := json.Unmarshal(r.lines.Bytes(), &one); err != nil {
		t.Fatalf("not one JSON object a line: %v: %s", err, r.lines.Text())
	}
	r.seen = append(r.seen, one)
	return one, nil
}

// Until reads events up to the first that is wanted.
func (r *Running) Until(t testing.TB, wanted func(Event) bool) Event {
	t.Helper()
	for {
		one, err := r.next(t)
		if err != nil {
			t.Fatalf("rpctl ended before it said what was waited for:\n%s", r.Wait(t).Describe())
		}
		if wanted(one) {
			return one
		}
	}
}

// Job is the id of the job that was started or attached to, as soon as it is known.
func (r *Running) Job(t testing.TB) string {
	t.Helper()
	isJob := func(e Event) bool { return e.Event == "job" }
	if at := slices.IndexFunc(r.seen, isJob); at >= 0 {
		return string(r.seen[at].Job.ID)
	}
	return string(r.Until(t, isJob).Job.ID)
}

// Signal sends a signal to rpctl.
func (r *Running) Signal(t testing.TB, signal os.Signal) {
	t.Helper()
	if err := r.cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
}

// Wait reads on until rpctl has ended, and says how.
func (r *Running) Wait(t testing.TB) Outcome {
	t.Helper()
	for {
		if _, err := r.next(t); err != nil {
			break
		}
	}
	err := r.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return Outcome{Exit: r.cmd.ProcessState.ExitCode(), Events: r.seen, Stderr: r.stderr.String()}
}

// Ends waits for the end, and fails the test unless it has this exit code.
func (r *Running) Ends(t testing.TB, want int) Outcome {
	t.Helper()
	out := r.Wait(t)
	if out.Exit != want {
		t.Fatalf("rpctl %s: exit code %d, want %d\n%s", strings.Join(r.typed, " "), out.Exit, want, out.Describe())
	}
	return out
}
