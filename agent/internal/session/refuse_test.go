package session

import (
	"bufio"
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/re-connect/rpctl/agent/internal/lease"
	"github.com/re-connect/rpctl/proto"
)

func newLines(r io.Reader) *bufio.Reader { return bufio.NewReader(r) }

func TestWhoMayNotLookLearnsNothing(t *testing.T) {
	c := call(t, stranger, &fakeHost{})
	if c.hello.Error == nil || c.hello.Error.Code != proto.CodeForbidden || c.hello.Config != nil || c.hello.Environment != "" {
		t.Errorf("hello = %+v", c.hello)
	}
	if !strings.Contains(string(c.hello.Error.Message), "mallory") || !strings.Contains(string(c.hello.Error.Message), "rpctl-look") {
		t.Errorf("message = %q", c.hello.Error.Message)
	}
	if err := c.ended(); err != nil {
		t.Error(err)
	}
}

func TestRefusedConfigurationIsGreetedWith(t *testing.T) {
	host := hostOf(t.TempDir(), &fakeHost{})
	host.Refused = &proto.Error{Code: proto.CodeConfig, Message: "cannot read agent.toml: it is writable by others"}
	c := callHost(t, root, host)
	if c.hello.Error == nil || c.hello.Error.Code != proto.CodeConfig || c.hello.Config != nil {
		t.Errorf("hello = %+v", c.hello)
	}
	_ = c.ended()
}

// TestStateOfANewerAgentIsRefused: what is not known of it may be what keeps a step from being run twice.
func TestStateOfANewerAgentIsRefused(t *testing.T) {
	host := hostOf(t.TempDir(), &fakeHost{})
	path := filepath.Join(host.State, "form.json")
	if err := os.WriteFile(path, []byte(`{"version":1,"content":{"number":99,"agent":"v9"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	c := callHost(t, root, host)
	if err := c.hello.Error; err == nil || err.Code != proto.CodeStorage || !strings.Contains(string(err.Message), "newer rp-agent") ||
		!strings.Contains(string(err.Message), "rpctl agent upgrade") || c.hello.Config != nil {
		t.Errorf("hello = %+v, %+v", c.hello, c.hello.Error)
	}
	_ = c.ended()
}

// Each request is refused with a code, and the connection goes on.
func TestRefusals(t *testing.T) {
	cases := []struct {
		name, request string
		code          proto.Code
		audited       string
	}{
		{"unknown op", `{"id":1,"protocol":1,"op":"reboot","environment":"preprod"}`, proto.CodeUnsupported, ""},
		{"no op", `{"id":1,"protocol":1}`, proto.CodeUnsupported, ""},
		{"unknown field", `{"id":1,"protocol":1,"op":"release","environment":"preprod","force":true}`, proto.CodeUnsupported, ""},
		{"field in another spelling", `{"id":1,"protocol":1,"Op":"release","environment":"preprod"}`, proto.CodeUnsupported, ""},
		{"newer protocol", `{"id":1,"protocol":2,"op":"release","environment":"preprod"}`, proto.CodeUnsupported, ""},
		{"no protocol", `{"id":1,"op":"release","environment":"preprod"}`, proto.CodeUnsupported, ""},
		{"bad type", `{"id":1,"protocol":"1","op":"release"}`, proto.CodeBadRequest, ""},
		{"unknown arg", `{"id":1,"protocol":1,"op":"units","environment":"preprod","args":{"all":true}}`, proto.CodeUnsupported, ""},
		{"args of the wrong kind", `{"id":1,"protocol":1,"op":"units","environment":"preprod","args":[]}`, proto.CodeBadRequest, ""},
		{"args where none are", `{"id":1,"protocol":1,"op":"status","args":{"x":1}}`, proto.CodeUnsupported, ""},
		{"another environment", `{"id":1,"protocol":1,"op":"release","environment":"prod"}`, proto.CodeEnvironment, ""},
		{"another environment, for a status", `{"id":1,"protocol":1,"op":"status","environment":"prod"}`, proto.CodeEnvironment, ""},
		{"no environment", `{"id":1,"protocol":1,"op":"verify"}`, proto.CodeEnvironment, ""},
		{"a change in another environment", `{"id":1,"protocol":1,"op":"lease","environment":"prod","args":{"purpose":"deploy"}}`, proto.CodeEnvironment, "refused=environment"},
		{"a change without environment", `{"id":1,"protocol":1,"op":"restart"}`, proto.CodeEnvironment, "refused=environment"},
		{"restart without a lease", `{"id":1,"protocol":1,"op":"restart","environment":"preprod"}`, proto.CodeLeaseRequired, "refused=lease_required"},
		{"record without a lease", `{"id":1,"protocol":1,"op":"record","environment":"preprod","args":{"result":"succeeded"}}`, proto.CodeLeaseRequired, "refused=lease_required"},
		{"a lease for nothing", `{"id":1,"protocol":1,"op":"lease","environment":"preprod"}`, proto.CodeBadRequest, ""},
		{"a pattern of another host", `{"id":1,"protocol":1,"op":"units","environment":"preprod","args":{"only":["sshd.service"]}}`, proto.CodeNoUnits, ""},
		{"too much history", `{"id":1,"protocol":1,"op":"history","args":{"limit":501}}`, proto.CodeBadRequest, ""},
		{"negative lines", `{"id":1,"protocol":1,"op":"journal","environment":"preprod","args":{"lines":-1}}`, proto.CodeBadRequest, ""},
		{"endless settling", `{"id":1,"protocol":1,"op":"verify","environment":"preprod","args":{"settle_ms":600001}}`, proto.CodeBadRequest, ""},
	}
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			c := call(t, actor, &fakeHost{})
			c.say("%s", test.request)
			event := c.answer()
			wantError(t, event, 1, test.code)
			if event.Error != nil && event.Error.Advice.Text() == "" {
				t.Errorf("%q says nothing of what to do next", event.Error.Message)
			}
			wantDone(t, c.ask(2, proto.OpRelease, `{}`), 2)
			if got := c.audited(); got != test.audited {
				t.Errorf("audit: %q, want %q", got, test.audited)
			}
		})
	}
}

func TestOnlookerMayNotAct(t *testing.T) {
	c := call(t, onlooker, &fakeHost{})
	wantError(t, c.ask(1, proto.OpLease, `{"purpose":"deploy"}`), 1, proto.CodeForbidden)
	wantError(t, c.ask(2, proto.OpRestart, `{}`), 2, proto.CodeForbidden)
	if holder, err := lease.HolderOf(c.host.State); err != nil || holder != nil {
		t.Errorf("holder = %+v, %v", holder, err)
	}
	if got, want := c.audited(), "refused=forbidden refused=forbidden"; got != want {
		t.Errorf("audit: %s, want %s", got, want)
	}
}

// TestOnlookerCannotFillTheAudit: each refused change is a line on the disk, so there is an end to them.
func TestOnlookerCannotFillTheAudit(t *testing.T) {
	c := call(t, onlooker, &fakeHost{})
	for id := 1; id <= maxRefusals; id++ {
		wantError(t, c.ask(id, proto.OpRestart, `{}`), int64(id), proto.CodeForbidden)
	}
	_ = c.ended()
	if got := strings.Count(c.audited(), "refused"); got != maxRefusals {
		t.Errorf("%d refusals are in the audit, want %d", got, maxRefusals)
	}
}

// Each of these makes what follows unbelievable: one error without an id, then the end.
func TestFatalLines(t *testing.T) {
	cases := []struct{ name, text string }{
		{"not JSON", "hello\n"},
		{"empty line", "\n"},
		{"null", "null\n"},
		{"an array", "[]\n"},
		{"no id", `{"protocol":1,"op":"status"}` + "\n"},
		{"id zero", `{"id":0,"protocol":1,"op":"status"}` + "\n"},
		{"id too large", `{"id":9223372036854775808,"op":"status"}` + "\n"},
		{"a ping that is none", `{"ping":false}` + "\n"},
		{"a ping with an op", `{"ping":true,"op":"status"}` + "\n"},
		{"a cancel of nothing", `{"cancel":0}` + "\n"},
		{"a late bridge", `{"ping":true}` + "\n" + `{"bridge":{}}` + "\n"},
		{"an unknown field of the bridge", `{"bridge":{"uid":0}}` + "\n"},
		{"two values", `{"ping":true} {}` + "\n"},
		{"cut off", `{"id":1,"protocol":1,"op":"sta`},
		{"complete but cut off", `{"id":1,"protocol":1,"op":"status"}`},
	}
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			c := call(t, actor, &fakeHost{})
			if _, err := io.WriteString(c.conn, test.text); err != nil {
				t.Fatal(err)
			}
			c.hangUp()
			wantError(t, c.answer(), 0, proto.CodeBadRequest)
			if err := c.ended(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestOversizedLine(t *testing.T) {
	c := call(t, actor, &fakeHost{})
	go func() { _, _ = io.WriteString(c.conn, strings.Repeat("x", proto.MaxLine+8192)) }()
	wantError(t, c.answer(), 0, proto.CodeBadRequest)
}

func TestIDsMustRise(t *testing.T) {
	for _, again := range []string{
		`{"id":5,"protocol":1,"op":"status"}`,
		`{"id":4,"protocol":1,"op":"status"}`,
		`{"id":4,"protocol":1,"op":"status","unknown":1}`,
	} {
		c := call(t, actor, &fakeHost{})
		c.say(`{"id":5,"protocol":1,"op":"status"}`)
		c.say("%s", again)
		wantDone(t, c.answer(), 5)
		wantError(t, c.answer(), 0, proto.CodeBadRequest)
		_ = c.ended()
	}
}

func TestTooManyWaiting(t *testing.T) {
	host := hostOf(t.TempDir(), nil)
	synctest.Test(t, func(t *testing.T) {
		finish := make(chan struct{})
		f := &fakeHost{doctor: func(context.Context) proto.DoctorReport {
			<-finish
			return proto.DoctorReport{}
		}}
		host.Workers, host.Releases, host.Doctor = f, f, f
		ours, theirs := net.Pipe()
		c := converse(t, ours, theirs, actor, host)
		c.request(1, proto.OpDoctor, `{}`)
		synctest.Wait() // it is being served, and waits no longer
		for id := 2; id <= maxWaiting+2; id++ {
			c.request(id, proto.OpRelease, `{}`)
		}
		synctest.Wait() // all of them are read
		close(finish)
		for id := range int64(maxWaiting + 1) {
			wantDone(t, c.answer(), id+1)
		}
		wantError(t, c.answer(), 0, proto.CodeBadRequest)
		_ = c.ended()
	})
}

func TestTooManyUnitsEndTheConnection(t *testing.T) {
	c := call(t, actor, &fakeHost{})
	many := strings.Repeat(`"`+string(async)+`",`, maxUnits) + `"` + string(async) + `"`
	wantError(t, c.ask(1, proto.OpUnits, `{"only":[`+many+`]}`), 1, proto.CodeBadRequest)
	_ = c.ended()
}

func TestPanicIsAnAnswer(t *testing.T) {
	host := hostOf(t.TempDir(), &fakeHost{doctor: func(context.Context) proto.DoctorReport { panic("boom\x1b[2J") }})
	var logged error
	host.Log = func(err error) { logged = err }
	c := callHost(t, actor, host)
	event := c.ask(1, proto.OpDoctor, `{}`)
	wantError(t, event, 1, proto.CodeHost)
	if strings.Contains(string(event.Error.Message), "\x1b") || strings.Contains(string(event.Error.Message), "goroutine") {
		t.Errorf("message = %q", event.Error.Message)
	}
	wantDone(t, c.ask(2, proto.OpRelease, `{}`), 2)
	if logged == nil || !strings.Contains(logged.Error(), "goroutine") {
		t.Errorf("logged: %v", logged)
	}
}

// A host that cannot write down what is done there does nothing.
func TestFullDiskChangesNothing(t *testing.T) {
	restarted := false
	f := &fakeHost{restart: func(context.Context, func(proto.UnitProgress)) (proto.RestartResult, error) {
		restarted = true
		return proto.RestartResult{}, nil
	}}
	c := call(t, actor, f)
	wantDone(t, c.ask(1, proto.OpLease, `{"purpose":"deploy"}`), 1)
	file := filepath.Join(c.host.State, "audit.jsonl")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(file, 0o700); err != nil { // what cannot be opened for writing
		t.Fatal(err)
	}
	wantError(t, c.ask(2, proto.OpRestart, `{}`), 2, proto.CodeStorage)
	wantError(t, c.ask(3, proto.OpRecord, `{"result":"failed"}`), 3, proto.CodeStorage)
	if restarted {
		t.Error("it restarted without a line in the audit")
	}
	second := callHost(t, actor, hostOf(filepath.Join(c.host.State, "missing"), f))
	wantError(t, second.ask(1, proto.OpLease, `{"purpose":"deploy"}`), 1, proto.CodeStorage)
}

func TestAnswerThatDoesNotFitOnALine(t *testing.T) {
	for name, checks := range map[string][]proto.Check{
		"bytes":  {{Detail: proto.HostText(strings.Repeat("x", proto.MaxLine))}},
		"values": make([]proto.Check, proto.MaxAnswerValues/4),
	} {
		t.Run(name, func(t *testing.T) {
			c := call(t, actor, &fakeHost{doctor: func(context.Context) proto.DoctorReport { return proto.DoctorReport{Checks: checks} }})
			wantError(t, c.ask(1, proto.OpDoctor, `{}`), 1, proto.CodeHost)
			wantDone(t, c.ask(2, proto.OpRelease, `{}`), 2)
		})
	}
}

// TestClockResetIsRoots: the mark that gate 10 compares with is lowered by root alone, and the audit keeps that.
func TestClockResetIsRoots(t *testing.T) {
	c := call(t, actor, &fakeHost{})
	wantError(t, c.ask(1, proto.OpClockReset, `{}`), 1, proto.CodeForbidden)
	again := callHost(t, root, c.host)
	wantDone(t, again.ask(1, proto.OpClockReset, `{}`), 1)
	if got, want := again.audited(), "refused=forbidden clock-reset"; got != want {
		t.Errorf("audit: %s, want %s", got, want)
	}
}

// TestReconnectingFillsNoAudit: the refusals of one user are counted over all its connections.
func TestReconnectingFillsNoAudit(t *testing.T) {
	host := hostOf(t.TempDir(), &fakeHost{})
	var c *talk
	for range 4 {
		c = callHost(t, onlooker, host)
		for id := 1; id <= maxRefusals; id++ {
			wantError(t, c.ask(id, proto.OpRestart, `{}`), int64(id), proto.CodeForbidden)
		}
		_ = c.ended()
	}
	if got := strings.Count(c.audited(), "refused"); got != maxRefusals {
		t.Errorf("%d refusals are in the audit, want %d", got, maxRefusals)
	}
}
