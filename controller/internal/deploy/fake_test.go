package deploy

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/fleet"
	"github.com/re-connect/rpctl/controller/internal/inventory"
	"github.com/re-connect/rpctl/proto"
)

// fakeHost is a host as the controller sees it: one lease, one release, some units.
type fakeHost struct {
	mu      sync.Mutex
	hello   proto.Hello
	dialErr error
	release proto.Release
	status  proto.Status
	units   []string
	holder  *fakeAgent
	fail    map[proto.Op]error // what an operation answers instead
	verdict map[string]proto.UnitVerdict
	silent  bool // it gives no verdicts
	calls   []proto.Op
	records []proto.RecordArgs
	// during is called in the middle of an operation, before its answer.
	during func(ctx context.Context, op proto.Op) error
}

type fakeAgent struct {
	host     *fakeHost
	operator string
}

func (a *fakeAgent) Hello(context.Context) (proto.Hello, error) { return a.host.hello, nil }

func (a *fakeAgent) Close() error {
	a.host.mu.Lock()
	defer a.host.mu.Unlock()
	if a.host.holder == a {
		a.host.holder = nil
	}
	return nil
}

func (a *fakeAgent) Call(ctx context.Context, op proto.Op, args, result any, on func(proto.Event)) error {
	h := a.host
	h.mu.Lock()
	h.calls = append(h.calls, op)
	during, failure := h.during, h.fail[op]
	h.mu.Unlock()
	if during != nil {
		if err := during(ctx, op); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if failure != nil {
		return failure
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	answer, err := a.answer(op, args, on)
	if err != nil || result == nil {
		return err
	}
	line, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	return json.Unmarshal(line, result)
}

func (a *fakeAgent) answer(op proto.Op, args any, on func(proto.Event)) (any, error) {
	h := a.host
	if h.holder != a && slices.Contains([]proto.Op{proto.OpRestart, proto.OpRecord}, op) {
		return nil, &proto.Error{Code: proto.CodeLeaseRequired, Message: "no lease"}
	}
	switch op {
	case proto.OpLease:
		if h.holder != nil {
			return nil, &proto.Error{Code: proto.CodeLeaseHeld, Message: "held", Holder: &proto.Holder{
				Operator: proto.HostText(h.holder.operator), User: "www", Purpose: "deploy", Since: clock.Add(-3 * time.Minute),
			}}
		}
		h.holder = a
		return proto.Lease{Release: &h.release, Patterns: h.patterns()}, nil
	case proto.OpRelease:
		return h.release, nil
	case proto.OpStatus:
		return h.status, nil
	case proto.OpUnits:
		return proto.UnitList{Patterns: h.patterns()}, nil
	case proto.OpRestart:
		var result proto.RestartResult
		for _, unit := range h.units {
			on(proto.Event{Event: proto.EventUnit, Unit: &proto.UnitProgress{Unit: unit, Phase: proto.PhaseStarted}})
			result.Units = append(result.Units, proto.Restarted{Unit: unit, Invocation: "new-" + unit})
		}
		return result, nil
	case proto.OpVerify:
		return h.verify(args.(proto.VerifyArgs)), nil
	case proto.OpRecord:
		h.records = append(h.records, args.(proto.RecordArgs))
		return struct{}{}, nil
	}
	return nil, &proto.Error{Code: proto.CodeUnsupported, Message: proto.HostText("cannot serve " + string(op))}
}

func (h *fakeHost) patterns() []proto.PatternUnits {
	return []proto.PatternUnits{{Pattern: "messenger_worker_async@*.service", Units: h.units}}
}

func (h *fakeHost) verify(args proto.VerifyArgs) proto.VerifyResult {
	result := proto.VerifyResult{Release: h.release}
	if h.silent {
		return result
	}
	for _, expected := range args.Expect {
		verdict, told := h.verdict[expected.Unit]
		if !told {
			verdict = proto.UnitVerdict{Verdict: proto.VerdictProved, NewCode: true}
		}
		verdict.Unit = expected.Unit
		result.Units = append(result.Units, verdict)
	}
	return result
}

func (h *fakeHost) called(op proto.Op) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Contains(h.calls, op)
}

func (h *fakeHost) held() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.holder != nil
}

// clock is the time in these tests.
var clock = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

// sink keeps events, and calls on for each.
type sink struct {
	mu     sync.Mutex
	events []event.Event
	on     func(event.Event)
}

func (s *sink) Emit(e event.Event) {
	s.mu.Lock()
	s.events = append(s.events, e)
	s.mu.Unlock()
	if s.on != nil {
		s.on(e)
	}
}

func (s *sink) report(t *testing.T) *event.Report {
	t.Helper()
	for _, e := range s.events {
		if e.Kind == event.Summary {
			return e.Summary
		}
	}
	t.Fatal("there was no summary")
	return nil
}

func (s *sink) texts(kind event.Kind) string {
	var all []string
	for _, e := range s.events {
		if e.Kind == kind {
			all = append(all, e.Text)
		}
	}
	return strings.Join(all, "\n")
}

type tree struct {
	checkErr, updateErr error
	notes               []string
	updating            func(context.Context) error
}

func (f *tree) Check(context.Context, string) error { return f.checkErr }
func (f *tree) Standing(context.Context, string) ([]string, error) {
	return f.notes, f.checkErr
}
func (f *tree) Update(ctx context.Context, _ string) error {
	if f.updating != nil {
		return f.updating(ctx)
	}
	return f.updateErr
}
func (f *tree) Revision(context.Context) (string, error) { return "4d1f00d", nil }

// bench is two healthy hosts, a work tree, and a deploy command that makes release 42.
type bench struct {
	hosts   map[string]*fakeHost
	sink    *sink
	tree    *tree
	world   World
	options Options
	ran     []string
	runErr  error
	running func(ctx context.Context, argv []string) error
}

func newBench(names ...string) *bench {
	b := &bench{hosts: map[string]*fakeHost{}, sink: &sink{}, tree: &tree{}}
	env := inventory.Environment{
		Name: "preprod", Hosts: names, Branch: "dev",
		Prepare: [][]string{{"composer", "install"}}, Deploy: []string{"make", "deploy-preprod"}, Rollback: []string{"dep", "rollback"},
		Workers:     []proto.UnitPattern{"messenger_worker_async@*.service"},
		Application: proto.Application{Path: "/home/app/www", User: "app"}, Look: []string{"rpctl"}, Act: []string{"rpctl"},
	}
	for _, name := range names {
		config := env.HostConfig(name)
		b.hosts[name] = &fakeHost{
			hello: proto.Hello{
				Agent: "1.0", Protocol: proto.Speaks(), Environment: "preprod", Config: &config,
				Capabilities: []proto.Op{proto.OpRelease, proto.OpLease, proto.OpRestart, proto.OpVerify, proto.OpRecord, proto.OpUnits},
			},
			release: proto.Release{Name: "41", Path: "/home/app/www/releases/41"},
			units:   []string{"messenger_worker_async@1.service", "messenger_worker_async@2.service"},
			fail:    map[proto.Op]error{},
		}
	}
	b.options = Options{Environment: env, Operator: "alice@laptop"}
	b.world = World{
		Confirmed: "rpctl deploy --max-fail 2 --yes",
		Fleet:     &fleet.Fleet{Dial: b.dial("alice@laptop")}, Tree: b.tree, Run: b.run, Sink: b.sink,
		Now: func() time.Time { return clock },
	}
	return b
}

func (b *bench) dial(operator string) func(context.Context, fleet.Target) (fleet.Agent, error) {
	return func(ctx context.Context, target fleet.Target) (fleet.Agent, error) {
		h := b.hosts[target.Host]
		if h.during != nil {
			if err := h.during(ctx, "dial"); err != nil {
				return nil, err
			}
		}
		if h.dialErr != nil {
			return nil, h.dialErr
		}
		return &fakeAgent{host: h, operator: operator}, nil
	}
}

func (b *bench) run(ctx context.Context, argv []string, output func(string, []byte)) error {
	b.ran = append(b.ran, strings.Join(argv, " "))
	if b.running != nil {
		if err := b.running(ctx, argv); err != nil {
			return err
		}
	}
	if argv[0] == "make" || argv[0] == "dep" {
		output("stdout", []byte("task deploy:publish\n"))
		if b.runErr != nil {
			return b.runErr
		}
		for _, h := range b.hosts {
			h.move()
		}
	}
	return nil
}

// move is what a deploy does to current.
func (h *fakeHost) move() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.release = proto.Release{Name: "42", Path: "/home/app/www/releases/42"}
}

func (b *bench) restarted() []string {
	var all []string
	for name, h := range b.hosts {
		if h.called(proto.OpRestart) {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

// want checks an outcome: its exit code, what its message and next step hold, and that no lease is left.
func (b *bench) want(t *testing.T, err error, code exit.Code, holds ...string) {
	t.Helper()
	got := exit.OK
	text := ""
	if err != nil {
		failure := exit.From(err)
		got, text = failure.Code, failure.Error()+"\n"+failure.Next
	}
	if got != code {
		t.Fatalf("exit %d (%s), want %d (%s): %s", got, got, code, code, text)
	}
	for _, part := range holds {
		if !strings.Contains(text, part) {
			t.Errorf("the error does not say %q:\n%s", part, text)
		}
	}
	for name, h := range b.hosts {
		if h.held() {
			t.Errorf("a lease is left on %s", name)
		}
	}
}

// errLostAgent is how a call ends when the connection is gone.
var errLostAgent = fmt.Errorf("%w: the cable was pulled", fleet.ErrLost)
