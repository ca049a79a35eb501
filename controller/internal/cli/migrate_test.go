package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/fleet"
	"github.com/re-connect/rpctl/proto"
)

// printed is what the console of these tests prints: colours, a progress bar, a cleared screen, no UTF-8.
var printed = map[string][]byte{
	proto.Stdout: []byte("\x1b[32m 1/2\r\x1b[32m 2/2\x1b[0m\r\n\x1b[2J\xff"), proto.Stderr: []byte("\x07deprecated\n"),
}

// jobHost runs one job that ends as state says; hold keeps it running.
type jobHost struct {
	state proto.JobState
	hold  chan struct{}
	began chan struct{}
}

func (h jobHost) Hello(context.Context) (proto.Hello, error) { return proto.Hello{}, nil }
func (h jobHost) Close() error                               { return nil }

func (h jobHost) Call(ctx context.Context, op proto.Op, args, result any, on func(proto.Event)) error {
	if op == proto.OpJobs {
		return copied(proto.JobList{Jobs: []proto.Job{{ID: "abcdefgh", State: h.state, Operator: "bob@desk"}}}, result)
	}
	if op != proto.OpJobFollow {
		return &proto.Error{Code: proto.CodeUnsupported, Message: proto.HostText("does not know " + string(op))}
	}
	id := args.(proto.JobFollowArgs).ID
	on(proto.Event{Event: proto.EventJob, Job: &proto.Job{ID: id, State: proto.JobRunning, Operator: "bob@desk"}})
	for _, stream := range []string{proto.Stdout, proto.Stderr} {
		on(proto.Event{Event: proto.EventOutput, Output: &proto.Output{Stream: stream, Length: len(printed[stream]), Raw: printed[stream]}})
	}
	if h.hold != nil {
		close(h.began)
		select {
		case <-h.hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return copied(proto.Job{ID: id, State: h.state}, result)
}

// attaching is a desk whose preprod runs jobs.
func attaching(t *testing.T, host jobHost, args ...string) *desk {
	t.Helper()
	d := newDesk(t, args...)
	with := strings.Replace(hostsFile, "[environments.prod]", "[environments.preprod.console]\nphp = \"/usr/bin/php\"\nscript = \"bin/console\"\n[environments.prod]", 1)
	if err := os.WriteFile(filepath.Join(d.system.Dir, "hosts.toml"), []byte(with), 0o600); err != nil {
		t.Fatal(err)
	}
	d.system.Dial = func(context.Context, fleet.Target) (fleet.Agent, error) { return host, nil }
	return d
}

func TestAttachIntoAPipeIsByteExact(t *testing.T) {
	d := attaching(t, jobHost{state: proto.JobSucceeded}, "attach", "abcdefgh", "--env", "preprod")
	d.run(t, exit.OK)
	if !bytes.Equal(d.out.Bytes(), printed[proto.Stdout]) {
		t.Errorf("stdout %q", d.out.Bytes())
	}
	if !bytes.Contains(d.errs.Bytes(), printed[proto.Stderr]) || !strings.Contains(d.errs.String(), "job abcdefgh succeeded") {
		t.Errorf("stderr %q", d.errs.Bytes())
	}
}

func TestAttachOnATerminalIsHarmless(t *testing.T) {
	d := attaching(t, jobHost{state: proto.JobFailed}, "attach", "abcdefgh", "--env", "preprod")
	d.system.Live = true
	d.system.Getenv = func(name string) string { return map[string]string{"USER": "alice", "TERM": "xterm"}[name] }
	d.run(t, exit.Failed)
	for _, part := range []string{"\x1b[0;32m 1/2\r\x1b[0;32m 2/2\x1b[0m\r\n", `\x1b[2J\xff`, `\x07deprecated`} {
		if !strings.Contains(d.out.String(), part) {
			t.Errorf("no %q in %q", part, &d.out)
		}
	}
	if strings.Contains(d.out.String(), "\x1b[2J") || !strings.Contains(d.errs.String(), "job abcdefgh failed") {
		t.Errorf("stdout %q\nstderr %s", &d.out, &d.errs)
	}
}

func TestAttachRawOnATerminal(t *testing.T) {
	d := attaching(t, jobHost{state: proto.JobSucceeded}, "attach", "abcdefgh", "--env", "preprod", "--raw")
	d.system.Live = true
	d.run(t, exit.OK)
	if !bytes.Equal(d.out.Bytes(), printed[proto.Stdout]) {
		t.Errorf("stdout %q", d.out.Bytes())
	}
}

func TestAttachJSONHasEveryByte(t *testing.T) {
	d := attaching(t, jobHost{state: proto.JobCancelled}, "attach", "abcdefgh", "--env", "preprod", "--json")
	d.run(t, exit.Failed)
	got := map[string][]byte{}
	var kinds []string
	for line := range bytes.Lines(d.out.Bytes()) {
		var e event.Event
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		kinds = append(kinds, string(e.Kind))
		if e.Kind == event.Console {
			if int(*e.Offset) != len(got[e.Stream]) {
				t.Errorf("%s: offset %d at %d", e.Stream, *e.Offset, len(got[e.Stream]))
			}
			got[e.Stream] = append(got[e.Stream], e.Data...)
		}
	}
	if !bytes.Equal(got[proto.Stdout], printed[proto.Stdout]) || !bytes.Equal(got[proto.Stderr], printed[proto.Stderr]) {
		t.Errorf("got %q", got)
	}
	if want := "job console console job error"; strings.Join(kinds, " ") != want || d.errs.Len() > 0 {
		t.Errorf("events %q, stderr %q", kinds, &d.errs)
	}
}

// TestCtrlCAsksWhileAJobIsFollowed: the first goes to the question, the second leaves; the job goes on.
func TestCtrlCAsksWhileAJobIsFollowed(t *testing.T) {
	host := jobHost{state: proto.JobSucceeded, hold: make(chan struct{}), began: make(chan struct{})}
	d := attaching(t, host, "attach", "abcdefgh", "--env", "preprod")
	signals := make(chan os.Signal)
	asked := make(chan struct{})
	d.system.Asks, d.system.Signals = true, signals
	d.system.Stdin = readerFunc(func([]byte) (int, error) { close(asked); select {} })
	go func() {
		<-host.began
		signals <- os.Interrupt
		<-asked
		signals <- os.Interrupt
	}()
	d.run(t, exit.Interrupted)
	for _, part := range []string{"[d/c/g]", "detached: job abcdefgh goes on", "next: rpctl attach abcdefgh --env preprod --from 30,12"} {
		if !strings.Contains(d.errs.String(), part) {
			t.Errorf("no %q in:\n%s", part, &d.errs)
		}
	}
}

func TestGoOnAfterCtrlC(t *testing.T) {
	host := jobHost{state: proto.JobSucceeded, hold: make(chan struct{}), began: make(chan struct{})}
	d := attaching(t, host, "attach", "abcdefgh", "--env", "preprod")
	signals := make(chan os.Signal)
	answer := strings.NewReader("g\n")
	d.system.Asks, d.system.Signals = true, signals
	d.system.Stdin = readerFunc(func(p []byte) (int, error) {
		n, err := answer.Read(p)
		if answer.Len() == 0 {
			close(host.hold)
		}
		return n, err
	})
	go func() {
		<-host.began
		signals <- os.Interrupt
	}()
	d.run(t, exit.OK)
}

func TestClosedTerminalDetaches(t *testing.T) {
	host := jobHost{state: proto.JobSucceeded, hold: make(chan struct{}), began: make(chan struct{})}
	d := attaching(t, host, "attach", "abcdefgh", "--env", "preprod")
	signals := make(chan os.Signal)
	d.system.Asks, d.system.Signals = true, signals
	d.system.Stdin = readerFunc(func([]byte) (int, error) { return 0, errors.New("nobody may be asked") })
	go func() {
		<-host.began
		signals <- syscall.SIGHUP
	}()
	d.run(t, exit.Interrupted)
	if strings.Contains(d.errs.String(), "[d/c/g]") {
		t.Errorf("asked:\n%s", &d.errs)
	}
}

// readerFunc is a terminal's input as the test types it.
type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestJobs(t *testing.T) {
	d := attaching(t, jobHost{state: proto.JobRunning}, "jobs", "--env", "preprod")
	d.run(t, exit.OK)
	if !strings.Contains(d.out.String(), "bob@desk") {
		t.Errorf("got\n%s", &d.out)
	}
	d = attaching(t, jobHost{state: proto.JobRunning}, "jobs", "--env", "preprod", "--json")
	d.run(t, exit.OK)
	if !strings.Contains(d.out.String(), `"event":"job"`) {
		t.Errorf("got\n%s", &d.out)
	}
	d = attaching(t, jobHost{}, "cancel", "abcdefgh", "--env", "preprod")
	d.run(t, exit.NoAgent) // an agent that knows no jobs is too old
	if !strings.Contains(d.errs.String(), "job-cancel") {
		t.Errorf("got\n%s", &d.errs)
	}
}

// TestReportGoesToStdoutAlone: warnings must not stand in a text that is pasted.
func TestReportGoesToStdoutAlone(t *testing.T) {
	d := attaching(t, jobHost{}, "migrate", "report", "--plan", "blank.toml", "--env", "preprod")
	const plan = "version = 1\nticket = \"https://trello.example/c/1\"\ncentre = \"c\"\nfield = \"f\"\n[centres]\n1 = \"a\"\n2 = \"b\"\n[[groups]]\nsteps = [ { origin = 1, destination = 2, value = \"v \" } ]\n"
	if err := os.WriteFile(filepath.Join(d.system.Dir, "blank.toml"), []byte(plan), 0o600); err != nil {
		t.Fatal(err)
	}
	d.run(t, exit.BadInput)
	if d.out.Len() > 0 || !strings.Contains(d.errs.String(), "begins or ends with a blank") {
		t.Errorf("stdout %q, stderr %q", &d.out, &d.errs)
	}
}

// TestPlanNewKeepsTheAnswers: the folder may go while somebody answers.
func TestPlanNewKeepsTheAnswers(t *testing.T) {
	d := newDesk(t, "plan", "new", "sub/p.toml")
	folder := filepath.Join(d.system.Dir, "sub")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	answers := strings.NewReader("https://trello.com/c/x\nname\n\nn\n4537\nCHU 75\n4960\nCPH\nCPH\nn\nn\n")
	d.system.Stdin = readerFunc(func(into []byte) (int, error) {
		_ = os.Remove(folder) // the first time
		return answers.Read(into)
	})
	d.run(t, exit.BadInput)
	if !strings.Contains(d.out.String(), "ticket = \"https://trello.com/c/x\"") || !strings.Contains(d.errs.String(), "cannot write") {
		t.Errorf("stdout %q, stderr %q", &d.out, &d.errs)
	}
}
