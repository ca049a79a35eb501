package view

import (
	"bytes"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/hosttext"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

// evil is what a host could send to a terminal: a colour, a cleared screen, a C1 control, an override.
const evil = "\x1b[31mred\x1b[2J\u009b31m\u202eback"

// heard is a value of a host as rpctl decodes it.
func heard[T any](value T) *T {
	hosttext.Clean(&value)
	return &value
}

// hostile is an event of each kind in which a host's own words stand everywhere.
func hostile() []event.Event {
	journal := []proto.LogLine{{Message: evil, Unit: evil}}
	verdict := proto.UnitVerdict{Unit: evil, Verdict: proto.Verdict(evil), Why: evil, Journal: journal}
	release := &proto.Release{Name: evil, Revision: evil}
	return []event.Event{
		{Kind: event.Host, Host: "pp1", State: event.Leased, Text: evil, Release: release},
		{Kind: event.Host, Host: "pp1", State: event.Bad, Text: evil},
		{Kind: event.Host, Host: "pp1", State: event.Busy, Text: evil},
		{Kind: event.Step, Step: "restart", State: event.Began},
		{Kind: event.Unit, Host: "pp1", Unit: heard(proto.UnitProgress{Unit: evil, Phase: proto.Phase(evil), Detail: evil, TimeoutMS: 5})},
		{Kind: event.Verdict, Host: "pp1", Verdict: heard(verdict)},
		{Kind: event.Plan, Host: "pp1", Plan: []proto.PatternUnits{{Units: []string{evil}}}, Release: release},
		{Kind: event.Warning, Host: "pp1", Text: evil},
		{Kind: event.Health, Text: evil},
		{Kind: event.Job, Host: "pp1", Job: heard(proto.Job{ID: evil, Kind: evil, Operator: evil, User: evil}), Next: evil},
		{Kind: event.Job, Host: "pp1", Job: heard(proto.Job{ID: evil, State: evil})},
		{Kind: event.JobStep, JobStep: heard(proto.JobStep{Step: evil, State: evil, Detail: evil})},
		{Kind: event.Figures, Migration: evilPlan(), Simulation: &proto.Simulation{Plan: evil, Host: evil, Revision: evil, Steps: []proto.SimulatedStep{{
			Step: evil, Result: proto.StepResult{Conflicts: []proto.Conflict{{Accommodation: 1}}}}}}},
		{Kind: event.Applied, Migration: evilPlan(), Applied: &proto.Applied{Host: evil, Environment: evil, BreakGlass: evil, Steps: []plan.Forecast{{}}}},
		{Kind: event.Gates, PlanStatus: heard(proto.PlanStatus{Plan: evil, Running: evil, Gates: []proto.GateStatus{{Name: evil, Why: evil, Next: evil}}})},
		{Kind: event.Stored, Path: evil, Commands: []string{evil}},
		{Kind: event.Summary, Summary: &event.Report{Hosts: []event.HostReport{{Host: "pp1", Before: evil, After: evil, Problems: []string{evil}}}}},
	}
}

func evilPlan() *plan.Plan {
	return &plan.Plan{Groups: []plan.Group{{Steps: []plan.Step{{
		Origin: plan.Centre{Name: evil}, Destination: plan.Centre{Name: evil, Short: evil},
		Decisions: []plan.Decision{{Accommodation: 1, By: evil, Why: evil}},
	}}}}}
}

func TestHostsCannotReachTheTerminal(t *testing.T) {
	var out bytes.Buffer
	for _, options := range []Options{{Out: &out}, {Out: &out, JSON: true}} {
		v := New(options)
		for _, e := range hostile() {
			v.Emit(e)
		}
		v.Close()
	}
	look := Look{Width: 200}
	status := proto.Status{
		Release: &proto.Release{Name: evil, Revision: evil}, Lease: &proto.Holder{Operator: evil, Purpose: evil},
		LastDeploy: &proto.DeployRecord{Kind: evil, Operator: evil, Result: evil}, Problems: []proto.HostText{evil},
	}
	out.WriteString(StatusTable([]event.Event{{Host: "h", Status: &status}, {Host: "h", Error: &event.Failure{Message: evil}}}, look))
	out.WriteString(HistoryTable([]event.Event{{Audit: &proto.AuditEntry{Action: evil, Detail: evil, User: evil, Operator: evil, Result: evil}}}, look))
	out.WriteString(LogLine(event.Event{Log: heard(proto.LogLine{Unit: evil, Message: evil, Priority: 6})}, look))
	out.WriteString(CheckLine(event.Event{Check: heard(proto.Check{Name: evil, Detail: evil, Fix: evil})}, look))
	out.WriteString(JobsTable([]proto.Job{*heard(proto.Job{ID: evil, Kind: evil, State: evil, Operator: evil, Ticket: evil})}, look))
	for _, forbidden := range []string{"\x1b", "\u009b", "\u202e"} {
		if at := strings.Index(out.String(), forbidden); at >= 0 {
			t.Errorf("%q got through: %q", forbidden, out.String()[max(0, at-60):at+10])
		}
	}
	if !strings.Contains(out.String(), "red") {
		t.Error("the test shows nothing")
	}
}

func TestPlainTellsAPhaseOnce(t *testing.T) {
	var out bytes.Buffer
	v := New(Options{Out: &out})
	for _, elapsed := range []int64{0, 1000, 2000} {
		v.Emit(event.Event{Kind: event.Unit, Host: "pp1", Unit: &proto.UnitProgress{Unit: "a.service", Phase: proto.PhaseStopping, ElapsedMS: elapsed}})
	}
	if got, want := out.String(), "    pp1: a.service stopping\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPlainPassesOutputAsItIs(t *testing.T) {
	var out bytes.Buffer
	v := New(Options{Out: &out})
	v.Emit(event.Event{Kind: event.Output, Text: "\x1b[32m 10%\r"})
	v.Emit(event.Event{Kind: event.Output, Text: "100%"})
	v.Emit(event.Event{Kind: event.Step, Step: "deploy", State: event.Skipped})
	if got, want := out.String(), "\x1b[32m 10%\r100%\n==> deploy skipped\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestJSONCutsOutputIntoLines(t *testing.T) {
	var out bytes.Buffer
	v := New(Options{Out: &out, JSON: true})
	v.Emit(event.Event{Kind: event.Output, Stream: "stdout", Text: "one\ntw"})
	v.Emit(event.Event{Kind: event.Output, Stream: "stderr", Text: "oops\r\n"})
	v.Emit(event.Event{Kind: event.Output, Stream: "stdout", Text: "o\nend"})
	v.Emit(event.Event{Kind: event.Step, Step: "deploy", State: event.Ended})
	var got []string
	for line := range strings.Lines(out.String()) {
		var e event.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		got = append(got, e.Stream+":"+e.Text)
	}
	if want := "stdout:one stderr:oops stdout:two stdout:end :"; strings.Join(got, " ") != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestJSONBoundsAnEndlessLine(t *testing.T) {
	var out bytes.Buffer
	v := New(Options{Out: &out, JSON: true}).(*ndjson)
	for range 40 {
		v.Emit(event.Event{Kind: event.Output, Stream: "stdout", Text: strings.Repeat("x", 4096)})
	}
	if kept := v.partial["stdout"]; kept != nil && len(kept.Text) > longestLine {
		t.Errorf("%d bytes are kept", len(kept.Text))
	}
	if strings.Count(out.String(), "\n") == 0 {
		t.Error("nothing was written")
	}
}

// screen is a terminal that knows the few sequences of the live view.
type screen struct {
	mu     sync.Mutex
	lines  []string
	row    int
	hidden bool
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := string(p)
	for text != "" {
		for len(s.lines) <= s.row {
			s.lines = append(s.lines, "")
		}
		switch {
		case strings.HasPrefix(text, hideCursor):
			s.hidden, text = true, text[len(hideCursor):]
		case strings.HasPrefix(text, showCursor):
			s.hidden, text = false, text[len(showCursor):]
		case strings.HasPrefix(text, eraseDown):
			s.lines, text = append(s.lines[:s.row], ""), text[len(eraseDown):]
		case strings.HasPrefix(text, "\x1b["):
			n, rest, _ := strings.Cut(text[2:], "A")
			s.row -= int(n[0] - '0')
			text = rest
		case text[0] == '\n':
			s.row, text = s.row+1, text[1:]
		default:
			end := strings.IndexAny(text, "\n\x1b\r")
			if end < 0 {
				end = len(text)
			}
			s.lines[s.row] += text[:end]
			text = text[end:]
		}
	}
	return len(p), nil
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.lines, "\n")
}

// TestLive plays a restart on a small terminal.
func TestLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		terminal := &screen{}
		v := New(Options{Out: terminal, Live: true, Width: func() int { return 80 }})
		v.Emit(event.Event{Kind: event.Step, Step: "restart", State: event.Began})
		for _, unit := range []string{"a@1.service", "a@2.service"} {
			v.Emit(event.Event{Kind: event.Unit, Host: "pp1", Unit: &proto.UnitProgress{Unit: unit, Phase: proto.PhaseStopping, TimeoutMS: 30_000}})
		}
		time.Sleep(15 * time.Second) // fake time
		synctest.Wait()
		if got := terminal.String(); !strings.Contains(got, "a@1") || !strings.Contains(got, "█████░░░░░ 14/30 s") && !strings.Contains(got, "█████░░░░░ 15/30 s") {
			t.Errorf("half of the stop is over, and the screen says:\n%s", got)
		}
		for line := range strings.Lines(terminal.String()) {
			if len([]rune(strings.TrimSuffix(line, "\n"))) > 80 {
				t.Errorf("a line is wider than the terminal: %q", line)
			}
		}
		v.Emit(event.Event{Kind: event.Output, Text: "from the command\n"})
		if got := terminal.String(); strings.Index(got, "from the command") > strings.Index(got, "a@1") {
			t.Errorf("output is below the region:\n%s", got)
		}
		v.Emit(event.Event{Kind: event.Output, Text: "a question? "})
		if got := terminal.String(); !strings.HasSuffix(got, "a question? ") || terminal.hidden {
			t.Errorf("the cursor does not wait behind the question:\n%s", got)
		}
		v.Close()
		v.Close()
		if terminal.hidden || strings.Contains(terminal.String(), "a@1") {
			t.Errorf("the terminal was not restored:\n%s", terminal)
		}
	})
}

func TestTablesFitIn80Columns(t *testing.T) {
	now := time.Now()
	status := proto.Status{
		Release: &proto.Release{Name: "142", Revision: "4d1f00d4d1f00d4d1f00d"}, Workers: make([]proto.WorkerStatus, 12),
		LastDeploy: &proto.DeployRecord{Kind: "deploy", Result: "succeeded", Operator: "alice@laptop.reconnect.example", Ended: now.Add(-time.Hour)},
	}
	got := StatusTable([]event.Event{{Environment: "preprod", Host: "rp-preprod-1", Status: &status}}, Look{Width: 80, Now: now})
	for line := range strings.Lines(got) {
		if n := len([]rune(line)) - 1; n > 80 {
			t.Errorf("%d columns: %q", n, line)
		}
	}
	if !strings.Contains(got, "142 4d1f00d") {
		t.Errorf("no release in:\n%s", got)
	}
}
