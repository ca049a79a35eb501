package session

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/re-connect/rpctl/agent/internal/audit"
	"github.com/re-connect/rpctl/agent/internal/peer"
	"github.com/re-connect/rpctl/agent/internal/peer/peertest"
	"github.com/re-connect/rpctl/proto"
)

const (
	async proto.UnitPattern = "messenger_worker_async@*.service"
	dmp   proto.UnitPattern = "messenger_worker_dmp@*.service"
)

var (
	actor    = peer.Caller{UID: 1000, User: "home", Groups: []string{"home", "rpctl-act"}}
	onlooker = peer.Caller{UID: 1001, User: "eva", Groups: []string{"rpctl-look"}}
	stranger = peer.Caller{UID: 1002, User: "mallory", Groups: []string{"users"}}
	root     = peer.Caller{User: "root"}
)

// fakeHost is every part of a host; a test replaces the one that it is about.
type fakeHost struct {
	units   func(context.Context) ([]proto.PatternUnits, error)
	restart func(context.Context, func(proto.UnitProgress)) (proto.RestartResult, error)
	follow  func(context.Context, bool, func(proto.LogLine) error) error
	doctor  func(context.Context) proto.DoctorReport
}

func (f *fakeHost) Units(ctx context.Context, _ []proto.UnitPattern) ([]proto.PatternUnits, error) {
	if f.units != nil {
		return f.units(ctx)
	}
	return []proto.PatternUnits{{Pattern: async, Units: []string{"messenger_worker_async@1.service"}}, {Pattern: dmp, Units: []string{}}}, nil
}

func (f *fakeHost) Restart(ctx context.Context, _ proto.RestartArgs, report func(proto.UnitProgress)) (proto.RestartResult, error) {
	if f.restart != nil {
		return f.restart(ctx, report)
	}
	report(proto.UnitProgress{Unit: "messenger_worker_async@1.service", Phase: proto.PhaseStarted})
	return proto.RestartResult{Units: []proto.Restarted{{Unit: "messenger_worker_async@1.service", Invocation: "aa"}}}, nil
}

func (f *fakeHost) Verify(_ context.Context, _ proto.VerifyArgs, report func(proto.UnitProgress)) (proto.VerifyResult, error) {
	report(proto.UnitProgress{Unit: "messenger_worker_async@1.service", Phase: proto.PhaseSettled})
	return proto.VerifyResult{Units: []proto.UnitVerdict{{Verdict: proto.VerdictProved}}}, nil
}

func (f *fakeHost) Status(context.Context) (proto.Status, error) {
	return proto.Status{Workers: []proto.WorkerStatus{{Unit: "messenger_worker_async@1.service"}}}, nil
}

func (f *fakeHost) Current() (proto.Release, error) {
	return proto.Release{Name: "42", Revision: "abc"}, nil
}

func (f *fakeHost) Follow(ctx context.Context, _ []string, _ int, follow bool, emit func(proto.LogLine) error) error {
	if f.follow != nil {
		return f.follow(ctx, follow, emit)
	}
	return emit(proto.LogLine{Message: "handled"})
}

func (f *fakeHost) Run(ctx context.Context) proto.DoctorReport {
	if f.doctor != nil {
		return f.doctor(ctx)
	}
	return proto.DoctorReport{Checks: []proto.Check{{Name: "clock", OK: true}}}
}

func hostOf(state string, f *fakeHost) Host {
	return Host{
		Name: "preprod-1", Agent: "1.0.0", State: state, Workers: f, Releases: f, Journal: f, Doctor: f,
		Config: proto.HostConfig{Environment: "preprod", Workers: []proto.UnitPattern{async, dmp},
			Look: []string{"rpctl-look"}, Act: []string{"rpctl-act"}},
	}
}

// talk is a conversation: the controller's end of it.
type talk struct {
	t      *testing.T
	conn   net.Conn
	lines  *bufio.Reader
	served chan error // what Serve returned
	host   Host
	hello  proto.Hello
}

// call begins a conversation over a Unix socket pair, as on a host.
func call(t *testing.T, caller peer.Caller, f *fakeHost) *talk {
	t.Helper()
	return callHost(t, caller, hostOf(t.TempDir(), f))
}

func callHost(t *testing.T, caller peer.Caller, host Host) *talk {
	t.Helper()
	ours, file := peertest.Pair(t)
	defer file.Close()
	theirs, err := net.FileConn(file)
	if err != nil {
		t.Fatal(err)
	}
	return converse(t, ours, theirs, caller, host)
}

func converse(t *testing.T, ours, theirs net.Conn, caller peer.Caller, host Host) *talk {
	t.Helper()
	c := &talk{t: t, conn: ours, lines: bufio.NewReader(ours), served: make(chan error, 1), host: host}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.served <- Serve(t.Context(), theirs, caller, host)
	}()
	t.Cleanup(func() {
		_ = ours.Close()
		<-done // it writes to the state folder to the last
	})
	line := c.line()
	if want := `{"event":"hello","marker":"rp-agent/1"`; !strings.HasPrefix(line, want) {
		t.Fatalf("greeting %q does not begin with %s", line, want)
	}
	if err := json.Unmarshal([]byte(line), &c.hello); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *talk) line() string {
	c.t.Helper()
	line, err := c.lines.ReadString('\n')
	if err != nil {
		c.t.Fatalf("read %q: %v", line, err)
	}
	return line
}

func (c *talk) say(format string, args ...any) {
	c.t.Helper()
	if _, err := fmt.Fprintf(c.conn, format+"\n", args...); err != nil {
		c.t.Fatal(err)
	}
}

// ask sends a request to preprod and returns what ends its answer.
func (c *talk) ask(id int, op proto.Op, args string) proto.Event {
	c.t.Helper()
	c.request(id, op, args)
	return c.answer()
}

func (c *talk) request(id int, op proto.Op, args string) {
	c.t.Helper()
	c.say(`{"id":%d,"protocol":1,"op":%q,"environment":"preprod","operator":"alice@laptop","args":%s}`, id, op, args)
}

func (c *talk) event() proto.Event {
	c.t.Helper()
	var event proto.Event
	if err := proto.DecodeStrict([]byte(c.line()), &event); err != nil {
		c.t.Fatal(err)
	}
	return event
}

// answer passes over progress and returns done or error.
func (c *talk) answer() proto.Event {
	c.t.Helper()
	for {
		if event := c.event(); event.Event == proto.EventDone || event.Event == proto.EventError {
			return event
		}
	}
}

// hangUp closes the caller's side for writing, as a bridge does at the end of its input.
func (c *talk) hangUp() {
	c.t.Helper()
	if err := c.conn.(*net.UnixConn).CloseWrite(); err != nil {
		c.t.Fatal(err)
	}
}

// ended waits until Serve has returned, and nothing more came.
func (c *talk) ended() error {
	c.t.Helper()
	if rest, err := io.ReadAll(c.lines); err == nil && len(rest) > 0 {
		c.t.Errorf("after the end came %q", rest)
	}
	return c.left()
}

// left waits until Serve has returned.
func (c *talk) left() error {
	c.t.Helper()
	select {
	case err := <-c.served:
		return err
	case <-time.After(5 * time.Minute):
		c.t.Fatal("Serve does not return")
		return nil
	}
}

// audited is the actions and results that the host remembers.
func (c *talk) audited() string {
	c.t.Helper()
	log := audit.New(c.host.State)
	entries, err := log.Last(99)
	if err != nil {
		c.t.Fatal(err)
	}
	if report, err := log.Verify(); err != nil || !report.OK {
		c.t.Errorf("audit: %+v, %v", report, err)
	}
	var words []string
	for _, e := range entries {
		words = append(words, strings.TrimSuffix(e.Action+"="+e.Result, "="))
	}
	return strings.Join(words, " ")
}

func wantDone(t *testing.T, event proto.Event, id int64) {
	t.Helper()
	if event.Event != proto.EventDone || event.ID != id {
		t.Errorf("got %+v (%v), want done of %d", event, event.Error, id)
	}
}

func wantError(t *testing.T, event proto.Event, id int64, code proto.Code) {
	t.Helper()
	if event.Event != proto.EventError || event.ID != id || event.Error == nil || event.Error.Code != code {
		t.Errorf("got %+v (%v), want error %s of %d", event, event.Error, code, id)
	}
}
