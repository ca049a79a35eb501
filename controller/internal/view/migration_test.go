package view

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || string(want) != got {
		t.Errorf("%v; got\n%s\nwant\n%s", err, got, want)
	}
	for line := range strings.Lines(got) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 100 {
			t.Errorf("%d columns: %q", n, line)
		}
	}
}

// crossing is the runbook's ticket: two centres that exchange people, so two groups, with
// the runbook's figures and its shared accommodation.
func crossing(t *testing.T) (plan.Plan, proto.Simulation) {
	t.Helper()
	names := map[int64]string{4537: "CHU 75", 4960: "CPH", 5644: "CHU 77", 5634: "DAHAR", 5645: "TEH"}
	totals := map[int64]int64{4537: 160, 4960: 180, 5634: 12, 5645: 3}
	centre := func(id int64) plan.Centre { return plan.Centre{ID: id, Name: "France Fraternités - " + names[id]} }
	p := plan.Plan{Version: 1, Ticket: "https://trello.example/c/abc", Centre: "France Fraternités"}
	var figures []plan.Figures
	for _, group := range [][][3]int64{
		{{4537, 5644, 41}, {4537, 4960, 10}, {4537, 5634, 19}, {4537, 5645, 7}},
		{{4960, 4537, 21}, {4960, 5644, 37}, {4960, 5634, 35}, {4960, 5645, 17}},
	} {
		var steps []plan.Step
		for _, s := range group {
			steps = append(steps, plan.Step{Origin: centre(s[0]), Destination: centre(s[1]), Field: "migration-des-donnees", Value: names[s[1]], WithAccommodations: true})
			figures = append(figures, plan.Figures{Origin: totals[s[0]], Destination: totals[s[1]], Moved: s[2]})
		}
		p.Groups = append(p.Groups, plan.Group{Steps: steps})
	}
	p.Groups[0].Steps[0].Decisions = []plan.Decision{{Accommodation: 892, Accepted: true, By: "Claire", Why: "vu avec le CHU 75"}}
	forecasts, err := plan.Forecasts(p, figures, plan.NoneDone)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 22, 18, 0, 0, 0, time.Local)
	s := proto.Simulation{Environment: "preprod", Host: "rp-preprod", Plan: strings.Repeat("0123456789abcdef", 4), Revision: "4d1f00d4d1f00d", Time: at, Expires: at.Add(168 * time.Hour)}
	for i, f := range forecasts {
		three := int64(3)
		s.Steps = append(s.Steps, proto.SimulatedStep{Step: f.Step, Forecast: f, Result: proto.StepResult{Figures: figures[i], Accommodations: &three}})
	}
	s.Steps[0].Result.Conflicts = []proto.Conflict{{Centre: 4537, Accommodation: 892, Staying: []int64{1042, 1078}, Moving: []int64{1035}}}
	s.Steps[1].Result.Conflicts = []proto.Conflict{{Centre: 4537, Accommodation: 900, Staying: []int64{7}, Moving: []int64{8, 9}}}
	s.Steps[2].Result.Accommodations = nil
	return p, s
}

func TestFiguresTable(t *testing.T) {
	p, s := crossing(t)
	golden(t, "figures.txt", FiguresTable(p, s, Look{Width: 100}))
	s.Steps[0].Done = true
	golden(t, "figures_begun.txt", FiguresTable(p, s, Look{Width: 100}))
	twelve := int64(12)
	s.Resolved = []proto.ResolvedStep{{Step: s.Steps[0].Step, As: proto.ResolveRerun, First: &twelve}}
	golden(t, "figures_resolved.txt", FiguresTable(p, s, Look{Width: 100}))
}

func TestAppliedTable(t *testing.T) {
	p, s := crossing(t)
	a := proto.Applied{Environment: "preprod", Host: "rp-preprod", Time: s.Time, BreakGlass: "the product owner is on a train"}
	for _, step := range s.Steps {
		a.Steps = append(a.Steps, step.Forecast)
	}
	golden(t, "applied.txt", AppliedTable(p, a, Look{Width: 100}))
	twelve := int64(12)
	a.Resolved = []proto.ResolvedStep{{Step: s.Steps[0].Step, As: proto.ResolveRerun, First: &twelve}, {Step: s.Steps[1].Step, As: proto.ResolveDone}}
	golden(t, "applied_resolved.txt", AppliedTable(p, a, Look{Width: 100}))
}

// TestMigrationEvents is the plain view of a whole apply.
func TestMigrationEvents(t *testing.T) {
	var out bytes.Buffer
	v := New(Options{Out: &out})
	at := time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC)
	three := int64(3)
	gates := []proto.GateStatus{{Gate: 1, Name: "simulation", Open: true}, {Gate: 3, Name: "approval", Why: "nobody has approved this plan", Next: "x"}}
	job := proto.Job{ID: "abcdefgh12345678", Kind: proto.KindApply, State: proto.JobRunning, Operator: "alice@laptop", User: "app", Created: at}
	ended, cancelled, killed := job, job, job
	ended.State, ended.Ended, cancelled.CancelAsked = proto.JobFailed, at.Add(75*time.Second), true
	killed.CancelAsked, killed.CancelNow = true, true
	for _, e := range []event.Event{
		{Kind: event.Gates, Environment: "preprod", Host: "pp1", PlanStatus: &proto.PlanStatus{Plan: "0123456789abcdef", Gates: gates, Running: "zzzzzzzz", Steps: []proto.JobStep{{State: proto.StepVerified}, {}}}, Next: "rpctl attach zzzzzzzz --env preprod"},
		{Kind: event.Begin, Operation: "apply", Environment: "preprod", Hosts: []string{"pp1"}, Operator: "alice@laptop"},
		{Kind: event.Job, Host: "pp1", Job: &job},
		{Kind: event.JobStep, JobStep: &proto.JobStep{Step: "1.1", State: proto.StepSimulated, Result: &proto.StepResult{Figures: plan.Figures{Origin: 160, Moved: 41}}}},
		{Kind: event.JobStep, JobStep: &proto.JobStep{Step: "1.2", State: proto.StepRunning}},
		{Kind: event.Output, Text: "12/41 [==>"},
		{Kind: event.Job, Host: "pp1", Job: &cancelled},
		{Kind: event.Job, Host: "pp1", Job: &killed},
		{Kind: event.JobStep, JobStep: &proto.JobStep{Step: "1.2", State: proto.StepFailed, Remaining: &three, Detail: "exit status 255"}},
		{Kind: event.Job, Host: "pp1", Job: &ended},
		{Kind: event.Stored, Path: "plan.receipts/preprod-applied.json", Commands: []string{"ssh-keygen -Y sign"}},
		{Kind: event.Warning, Host: "pp1", Text: "lost", Next: "rpctl status"},
	} {
		v.Emit(e)
	}
	v.Close()
	golden(t, "migration.txt", out.String())
}

func TestJobsTable(t *testing.T) {
	now := time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC)
	jobs := []proto.Job{
		{ID: "abcdefgh12345678", Kind: proto.KindApply, State: proto.JobInterrupted, Created: now.Add(-time.Hour), Operator: "alice@laptop", Ticket: "https://trello.example/c/abc", Steps: []proto.JobStep{{State: proto.StepVerified}, {State: proto.StepInterrupted}, {State: proto.StepSimulated}}},
		{ID: "bbbbbbbb12345678", Kind: proto.KindSimulate, State: proto.JobSucceeded, Created: now.Add(-50 * time.Hour), Operator: "bob@desk", Steps: []proto.JobStep{{State: proto.StepSimulated}}},
	}
	golden(t, "jobs.txt", JobsTable(jobs, Look{Width: 100, Now: now}))
}

func TestTerminal(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"a 10%\rb 20%\r\n\tc", "a 10%\rb 20%\r\n\tc"},
		{"\x1b[32;1mok\x1b[0m \x1b[38:2::1:2:3mrgb\x1b[m", "\x1b[0;1;32mok\x1b[0m rgb"},
		{"\x1b[8mhidden\x1b[28m \x1b[0;2;8;31mred\x1b[m", "hidden \x1b[0;31mred\x1b[0m"},
		{"\x1b[30mblack\x1b[30;42m on green\x1b[30;40m on black", "black\x1b[0;30;42m on green\x1b[0m on black"},
		{"\x1b[37;107mwhite on white\x1b[0m\x1b[47mon white", "white on whiteon white"},
		{"\x1b[38;5;16;48;5;16;1mtables\x1b[38;2;8;8;8m", "\x1b[0;1mtables\x1b[0;1m\x1b[0m"},
		{"rpctl: done\nrpctl is\n  next: curl\n  nexus\r\n", "| rpctl: done\nrpctl is\n|   next: curl\n  nexus\r\n"},
		{"1%\rrpctl: x", "1%\r| rpctl: x"},
		{"\x1b[31mrp\x1b[1mctl: x", "| \x1b[0;31mrp\x1b[0;1;31mctl: x\x1b[0m"},
		{strings.Repeat("\x1b[31m\x1b[32m", 20) + "rpctl: x", "| " + strings.Repeat("\x1b[0;31m\x1b[0;32m", 16) + strings.Repeat("\x1b[0;31m\x1b[0;32m", 4) + "rpctl: x\x1b[0m"},
		{"rpc", "rpc"},
		{"\x1b[2Jgone\x1b]0;title\x07\x1b[1A\x08", `\x1b[2Jgone\x1b]0;title\x07\x1b[1A\x08`},
		{"é…→ \xff\xc3(", `é…→ \xff\xc3(`},
		{"\u202eback\u009b31m", `\u202eback\u009b31m`},
		{"\x1b[" + strings.Repeat("1;", 60) + "m", `\x1b[` + strings.Repeat("1;", 60) + "m"},
		{"cut off \x1b[3", `cut off \x1b[3`},
		{"left on \x1b[31m", "left on \x1b[0;31m\x1b[0m"},
	} {
		for size := 1; size <= len(c.in); size++ {
			if got := inChunks(&Terminal{Color: true}, c.in, size); got != c.want {
				t.Fatalf("%q in chunks of %d: %q, want %q", c.in, size, got, c.want)
			}
		}
	}
	if got := inChunks(&Terminal{}, "\x1b[31mred\x1b[0m", 2); got != "red" {
		t.Errorf("without colours: %q", got)
	}
}

func inChunks(terminal *Terminal, in string, size int) string {
	var out strings.Builder
	for at := 0; at < len(in); at += size {
		out.WriteString(terminal.Show([]byte(in[at:min(at+size, len(in))])))
	}
	return out.String() + terminal.End()
}

// FuzzTerminal: however it is cut, the same comes out, no control but those that may pass, no hidden text, and no
// line that begins as one of rpctl's.
func FuzzTerminal(f *testing.F) {
	f.Add([]byte(evil), 1)
	f.Add([]byte("\x1b[31m\xe2\x80"), 2)
	f.Add([]byte("\rrp\x1b[8mctl: \n  \x1b[30mnext: curl"), 3)
	f.Fuzz(func(t *testing.T, in []byte, size int) {
		if size < 1 || len(in) > 4096 {
			t.Skip()
		}
		whole := inChunks(&Terminal{Color: true}, string(in), max(len(in), 1))
		if cut := inChunks(&Terminal{Color: true}, string(in), size); cut != whole {
			t.Errorf("in chunks of %d %q becomes %q and not %q", size, in, cut, whole)
		}
		for left := whole; left != ""; {
			at := strings.IndexFunc(left, func(r rune) bool { return r < ' ' && !strings.ContainsRune("\r\n\t", r) || r >= 0x7f && r < 0xa0 })
			if at < 0 {
				break
			}
			sgr := colour.FindString(left[at:])
			if sgr == "" || strings.Contains(sgr, "8") {
				t.Fatalf("%q got through of %q", left[at:], in)
			}
			left = left[at+len(sgr):]
		}
		for _, line := range strings.FieldsFunc(colours.ReplaceAllString(whole, ""), func(r rune) bool { return r == '\n' || r == '\r' }) {
			if strings.HasPrefix(line, "rpctl:") || strings.HasPrefix(line, "  next:") {
				t.Fatalf("%q begins as a line of rpctl's, of %q", line, in)
			}
		}
	})
}

var colours = regexp.MustCompile(`\x1b\[[0-9;]*m`)
