package session

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/re-connect/rpctl/agent/internal/lease"
	"github.com/re-connect/rpctl/proto"
)

func TestWholeDeployConversation(t *testing.T) {
	c := call(t, actor, &fakeHost{})
	if c.hello.Host != "preprod-1" || c.hello.Environment != "preprod" || c.hello.Config == nil || len(c.hello.Capabilities) != len(operations) || c.hello.Error != nil {
		t.Errorf("hello = %+v", c.hello)
	}
	c.say(`{"bridge":{"ssh_connection":"10.0.0.7 53412 10.0.0.1 22"}}`)
	c.say(`{"ping":true}`)
	var granted proto.Lease
	event := c.ask(1, proto.OpLease, `{"purpose":"deploy"}`)
	wantDone(t, event, 1)
	if err := json.Unmarshal(event.Result, &granted); err != nil || granted.Release.Name != "42" || len(granted.Patterns) != 2 {
		t.Errorf("lease = %s, %v", event.Result, err)
	}
	if holder, err := lease.HolderOf(c.host.State); err != nil || holder == nil || holder.Operator != "alice@laptop" ||
		holder.User != "home" || holder.UID != 1000 || holder.From != "10.0.0.7" || holder.Purpose != "deploy" {
		t.Errorf("holder = %+v, %v", holder, err)
	}
	c.request(2, proto.OpRestart, `{"batch":1}`)
	if event := c.event(); event.Event != proto.EventUnit || event.ID != 2 || event.Unit.Phase != proto.PhaseStarted {
		t.Errorf("progress = %+v", event)
	}
	wantDone(t, c.event(), 2)
	wantDone(t, c.ask(3, proto.OpVerify, `{}`), 3)
	wantDone(t, c.ask(4, proto.OpRecord, `{"result":"succeeded","detail":"all well"}`), 4)

	var status proto.Status
	if err := json.Unmarshal(c.ask(5, proto.OpStatus, `{}`).Result, &status); err != nil {
		t.Fatal(err)
	}
	if status.Lease == nil || status.LastDeploy == nil || status.LastDeploy.Result != "succeeded" || status.LastDeploy.Release != "42" ||
		status.LastDeploy.Revision != "abc" || status.Host != "preprod-1" || status.Agent != "1.0.0" || status.Time.IsZero() {
		t.Errorf("status = %+v, last deploy %+v", status, status.LastDeploy)
	}
	c.hangUp()
	if err := c.ended(); err != nil {
		t.Errorf("Serve: %v", err)
	}
	if got, want := c.audited(), "lease restart restart-end=restarted record=succeeded lease-end=recorded"; got != want {
		t.Errorf("audit: %s, want %s", got, want)
	}
	if holder, _ := lease.HolderOf(c.host.State); holder != nil {
		t.Errorf("after the end the host is held by %+v", holder)
	}
}

// A lease that could not be granted for want of a list of units is no deploy that was lost.
func TestLeaseOnAHostWhoseUnitsCannotBeListed(t *testing.T) {
	c := call(t, actor, &fakeHost{units: func(context.Context) ([]proto.PatternUnits, error) {
		return nil, errors.New("the bus is gone")
	}})
	wantError(t, c.ask(1, proto.OpLease, `{"purpose":"deploy"}`), 1, proto.CodeHost)
	if holder, err := lease.HolderOf(c.host.State); err != nil || holder != nil {
		t.Errorf("holder = %+v, %v", holder, err)
	}
	var status proto.Status
	if err := json.Unmarshal(c.ask(2, proto.OpStatus, `{}`).Result, &status); err != nil || status.LastDeploy != nil {
		t.Errorf("last deploy = %+v, %v", status.LastDeploy, err)
	}
	if got, want := c.audited(), "lease record=not begun lease-end=recorded"; got != want {
		t.Errorf("audit: %s, want %s", got, want)
	}
}

// One instance may be named, where a pattern of the host stands for it.
func TestOnlyOneInstance(t *testing.T) {
	c := call(t, actor, &fakeHost{})
	wantDone(t, c.ask(1, proto.OpUnits, `{"only":["messenger_worker_async@1.service"]}`), 1)
	for i, name := range []string{"messenger_worker_async@.service", "messenger_worker_async@*", "messenger_worker_a*@1.service", "other@1.service"} {
		event := c.ask(2+i, proto.OpUnits, `{"only":["`+name+`"]}`)
		wantError(t, event, event.ID, proto.CodeNoUnits)
	}
}

func TestEveryLook(t *testing.T) {
	c := call(t, onlooker, &fakeHost{})
	looks := []proto.Op{proto.OpStatus, proto.OpRelease, proto.OpUnits, proto.OpJournal, proto.OpHistory, proto.OpAuditVerify, proto.OpDoctor, proto.OpVerify}
	for i, op := range looks {
		wantDone(t, c.ask(i+1, op, `{}`), int64(i+1))
	}
}

func TestRequestsMayBePiledUpAndTheInputEnd(t *testing.T) {
	c := call(t, actor, &fakeHost{})
	c.request(1, proto.OpLease, `{"purpose":"restart"}`)
	c.request(2, proto.OpRestart, `null`)
	c.request(3, proto.OpRelease, `{}`)
	c.hangUp()
	for id := range int64(3) {
		wantDone(t, c.answer(), id+1)
	}
	if err := c.ended(); err != nil {
		t.Errorf("Serve: %v", err)
	}
	if got, want := c.audited(), "lease restart restart-end=restarted lease-end=connection lost without a record"; got != want {
		t.Errorf("audit: %s, want %s", got, want)
	}
}

func TestTwoCallersOneHost(t *testing.T) {
	first := call(t, actor, &fakeHost{})
	wantDone(t, first.ask(1, proto.OpLease, `{"purpose":"deploy"}`), 1)
	second := callHost(t, root, first.host)
	event := second.ask(1, proto.OpLease, `{"purpose":"restart"}`)
	wantError(t, event, 1, proto.CodeLeaseHeld)
	if event.Error.Holder == nil || event.Error.Holder.Operator != "alice@laptop" {
		t.Errorf("holder = %+v", event.Error.Holder)
	}
	wantError(t, first.ask(2, proto.OpLease, `{"purpose":"deploy"}`), 2, proto.CodeBadRequest)
	first.hangUp()
	if err := first.ended(); err != nil {
		t.Error(err)
	}
	wantDone(t, second.ask(2, proto.OpLease, `{"purpose":"restart"}`), 2)
	second.hangUp()
	_ = second.ended()
	want := "lease refused=lease_held lease-end=connection lost without a record lease lease-end=connection lost without a record"
	if got := second.audited(); got != want {
		t.Errorf("audit: %s, want %s", got, want)
	}
}

func TestRestartIsFinishedWhenTheConnectionIsLost(t *testing.T) {
	begun, finish := make(chan struct{}), make(chan struct{})
	f := &fakeHost{restart: func(ctx context.Context, report func(proto.UnitProgress)) (proto.RestartResult, error) {
		close(begun)
		<-finish
		report(proto.UnitProgress{Phase: proto.PhaseStarted})
		return proto.RestartResult{Units: []proto.Restarted{{Unit: "a"}}}, ctx.Err()
	}}
	c := call(t, actor, f)
	wantDone(t, c.ask(1, proto.OpLease, `{"purpose":"deploy"}`), 1)
	c.request(2, proto.OpRestart, `{}`)
	<-begun
	if err := c.conn.Close(); err != nil {
		t.Fatal(err)
	}
	if holder, err := lease.HolderOf(c.host.State); err != nil || holder == nil {
		t.Errorf("the lease was dropped in mid restart: %+v, %v", holder, err)
	}
	close(finish)
	_ = c.left()
	if got, want := c.audited(), "lease restart restart-end=restarted lease-end=connection lost without a record"; got != want {
		t.Errorf("audit: %s, want %s", got, want)
	}
}

func TestFollowEndsWithTheInput(t *testing.T) {
	f := &fakeHost{follow: func(ctx context.Context, follow bool, emit func(proto.LogLine) error) error {
		err := emit(proto.LogLine{Message: proto.HostText(strings.Repeat("\x01", 3<<20))})
		<-ctx.Done()
		return err
	}}
	c := call(t, onlooker, f)
	c.request(1, proto.OpJournal, `{"follow":true}`)
	if event := c.event(); event.Event != proto.EventLog || len(event.Log.Message) != proto.MaxLogMessage+len("…") {
		t.Errorf("log = %.100v", event)
	}
	c.hangUp()
	wantDone(t, c.answer(), 1)
	_ = c.ended()
}

func TestCancel(t *testing.T) {
	begun := make(chan struct{})
	f := &fakeHost{restart: func(ctx context.Context, _ func(proto.UnitProgress)) (proto.RestartResult, error) {
		close(begun)
		<-ctx.Done()
		return proto.RestartResult{}, ctx.Err()
	}}
	c := call(t, actor, f)
	wantDone(t, c.ask(1, proto.OpLease, `{"purpose":"restart"}`), 1)
	c.request(2, proto.OpRestart, `{}`)
	c.request(3, proto.OpRelease, `{}`)
	<-begun
	c.say(`{"cancel":99}`)
	c.say(`{"cancel":3}`)
	c.say(`{"cancel":2}`)
	wantError(t, c.answer(), 2, proto.CodeCancelled)
	wantError(t, c.answer(), 3, proto.CodeCancelled)
	wantDone(t, c.ask(4, proto.OpRelease, `{}`), 4)
	c.hangUp()
	_ = c.ended()
	if got := c.audited(); !strings.Contains(got, "restart-end=cancelled") {
		t.Errorf("audit: %s", got)
	}
}

func TestStopOfTheProcessEndsEverything(t *testing.T) {
	begun := make(chan struct{})
	f := &fakeHost{restart: func(ctx context.Context, _ func(proto.UnitProgress)) (proto.RestartResult, error) {
		close(begun)
		<-ctx.Done()
		return proto.RestartResult{}, ctx.Err()
	}}
	ours, theirs := net.Pipe()
	ctx, stop := context.WithCancel(t.Context())
	host := hostOf(t.TempDir(), f)
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, theirs, actor, host) }()
	c := &talk{t: t, conn: ours, lines: newLines(ours), host: host, served: served}
	c.line()
	wantDone(t, c.ask(1, proto.OpLease, `{"purpose":"restart"}`), 1)
	c.request(2, proto.OpRestart, `{}`)
	<-begun
	stop()
	if err := c.left(); err != nil {
		t.Errorf("Serve: %v", err)
	}
	if got := c.audited(); !strings.HasSuffix(got, "lease-end=connection lost without a record") {
		t.Errorf("audit: %s", got)
	}
}

func TestSilence(t *testing.T) {
	cases := []struct {
		name    string
		request string
		pings   int
		quiet   time.Duration // how long the caller is patient after its last ping
		lost    bool
	}{
		{"a lease and no pings", `{"id":1,"protocol":1,"op":"lease","environment":"preprod","args":{"purpose":"deploy"}}`, 0, 31 * time.Second, true},
		{"a lease and pings", `{"id":1,"protocol":1,"op":"lease","environment":"preprod","args":{"purpose":"deploy"}}`, 12, 29 * time.Second, false},
		{"a follow and no pings", `{"id":1,"protocol":1,"op":"journal","environment":"preprod","args":{"follow":true}}`, 0, 31 * time.Second, true},
		{"a follow and pings", `{"id":1,"protocol":1,"op":"journal","environment":"preprod","args":{"follow":true}}`, 12, 29 * time.Second, false},
		{"neither", `{"id":1,"protocol":1,"op":"status"}`, 0, 9 * time.Minute, false},
		{"nothing is asked", `{"bridge":{}}`, 0, 31 * time.Second, true},
		{"nothing is asked, and pings", `{"bridge":{}}`, 12, 29 * time.Second, false},
		{"neither, for very long", `{"id":1,"protocol":1,"op":"status"}`, 0, 11 * time.Minute, true},
	}
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			state := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				f := &fakeHost{follow: func(ctx context.Context, _ bool, emit func(proto.LogLine) error) error {
					_ = emit(proto.LogLine{Message: "one"})
					<-ctx.Done()
					return nil
				}}
				ours, theirs := net.Pipe()
				c := converse(t, ours, theirs, actor, hostOf(state, f))
				c.say("%s", test.request)
				if !strings.Contains(test.request, "bridge") {
					c.line()
				}
				for range test.pings {
					time.Sleep(10 * time.Second)
					c.say(`{"ping":true}`)
				}
				time.Sleep(test.quiet)
				synctest.Wait()
				select {
				case err := <-c.served:
					if !test.lost || !errors.Is(err, errSilent) {
						t.Errorf("Serve returned %v", err)
					}
				default:
					if test.lost {
						t.Error("the silent caller is still served")
					}
					_ = ours.Close()
					synctest.Wait()
				}
				if holder, err := lease.HolderOf(state); err != nil || holder != nil {
					t.Errorf("holder = %+v, %v", holder, err)
				}
			})
		})
	}
}

// A caller that stops reading without going away must not keep a restart from being finished.
func TestCallerThatDoesNotReadIsGivenUp(t *testing.T) {
	state := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeHost{restart: func(ctx context.Context, report func(proto.UnitProgress)) (proto.RestartResult, error) {
			for range 3 {
				report(proto.UnitProgress{Phase: proto.PhaseStopping}) // nobody takes it
			}
			return proto.RestartResult{}, ctx.Err()
		}}
		ours, theirs := net.Pipe()
		c := converse(t, ours, theirs, actor, hostOf(state, f))
		wantDone(t, c.ask(1, proto.OpLease, `{"purpose":"deploy"}`), 1)
		c.request(2, proto.OpRestart, `{}`)
		if err := <-c.served; !errors.Is(err, errSilent) {
			t.Errorf("Serve: %v", err)
		}
		if got := c.audited(); !strings.Contains(got, "restart-end=restarted") {
			t.Errorf("audit: %s", got)
		}
	})
}
