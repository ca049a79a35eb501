package view

import (
	"fmt"
	"strings"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

// migration is what an event of a plan or of a job leaves behind.
func (t *text) migration(e event.Event) string {
	switch e.Kind {
	case event.Job:
		return t.job(e)
	case event.JobStep:
		return t.jobStep(*e.JobStep)
	case event.Figures:
		return FiguresTable(*e.Migration, *e.Simulation, Look{Color: t.on, Width: t.width()})
	case event.Applied:
		return AppliedTable(*e.Migration, *e.Applied, Look{Color: t.on, Width: t.width()})
	case event.Gates:
		return t.gates(e)
	}
	out := "written: " + printable.Line(e.Path) + "\n"
	for _, command := range e.Commands {
		out += "    $ " + printable.Line(command) + "\n"
	}
	return out
}

// shortDigest is how much of a digest people compare.
const shortDigest = 12

func (t *text) job(e event.Event) string {
	j := e.Job
	line := "job " + printable.Line(string(j.ID))
	if !j.State.Ended() {
		if j.CancelAsked {
			how := "will stop before its next step"
			if j.CancelNow {
				how = "is being stopped at once"
			}
			if e.Text != "" { // who asked knows more than the job says
				how = printable.Line(e.Text)
			}
			return line + " " + t.warn(how) + "\n"
		}
		return fmt.Sprintf("%s: %s on %s, begun by %s (%s)\n", line, printable.Line(string(j.Kind)), e.Host, string(j.Operator), string(j.User))
	}
	paint := t.bad
	if j.State == proto.JobSucceeded {
		paint = t.good
	}
	return line + " " + paint(printable.Line(string(j.State))) + t.faint(" after "+took(j.Ended.Sub(j.Created).Milliseconds())) + "\n"
}

// moving says that a step is at work now.
func moving(s proto.StepState) bool {
	return s == proto.StepChecking || s == proto.StepRunning || s == proto.StepVerifying
}

func (t *text) jobStep(s proto.JobStep) string {
	state := printable.Line(string(s.State))
	switch {
	case s.State == proto.StepVerified || s.State == proto.StepSimulated:
		state = t.good(state)
	case !moving(s.State) && s.State != proto.StepPending:
		state = t.bad(state)
	}
	line := fmt.Sprintf("    step %s %s", printable.Line(string(s.Step)), state)
	if s.State == proto.StepSimulated && s.Result != nil {
		line += fmt.Sprintf(": %d of %d move", s.Result.Moved, s.Result.Origin)
	}
	if s.Remaining != nil {
		line += fmt.Sprintf(", %d left to move", *s.Remaining)
	}
	if s.Detail != "" {
		line += t.faint(" (" + string(s.Detail) + ")")
	}
	return line + "\n"
}

// FiguresTable is what a simulation found: of each step the totals as its dry run printed
// them, and what they will be when its turn comes; below, the shared accommodations.
func FiguresTable(p plan.Plan, s proto.Simulation, look Look) string {
	st := style{look.Color}
	var out strings.Builder
	done := false
	rows := [][]cell{head(st, "STEP", "TO", "HAS", "MOVED", "LEFT", "ACC.", "ORIGIN THEN", "DESTINATION THEN")}
	flush := func() {
		if len(rows) > 1 {
			out.WriteString(table(rows, look.Width))
			rows = rows[:1]
		}
	}
	for i, step := range p.Steps() {
		if i >= len(s.Steps) {
			break
		}
		result, then := s.Steps[i].Result, s.Steps[i].Forecast
		if i == 0 || p.Steps()[i-1].Origin.ID != step.Origin.ID || p.Steps()[i-1].Group != step.Group {
			flush()
			fmt.Fprintf(&out, "\n%s: %d follow-ups\n", st.bold(fmt.Sprintf("%s (%d)", printable.Line(step.Origin.Name), step.Origin.ID)), result.Origin)
		}
		id := string(step.ID)
		if s.Steps[i].Done {
			id, done = id+" ✓"+marked(s.Resolved, step.ID), true
		}
		rows = append(rows, []cell{
			{id, nil}, {fit(destination(step.Step), mostName, look.Width), nil}, {number(result.Destination), nil}, {number(result.Moved), st.bold},
			{number(result.Origin - result.Moved), nil}, {accommodations(result), nil},
			{change(then.OriginBefore, then.OriginAfter), nil}, {change(then.DestinationBefore, then.DestinationAfter), nil},
		})
	}
	flush()
	if done {
		out.WriteString("\n✓ verified before this simulation, with these figures: not run again\n" + resolved(s.Resolved, st))
	}
	out.WriteString(conflicts(p, s, st))
	fmt.Fprintf(&out, "\nplan %s, figures %s\nsimulated %s on %s, revision %s, good until %s\n", cut(printable.Line(s.Plan), shortDigest), cut(s.FiguresDigest(), shortDigest),
		s.Time.Local().Format("2006-01-02 15:04"), printable.Line(s.Host), printable.Line(cut(s.Revision, shortDigest)), s.Expires.Local().Format("2006-01-02 15:04"))
	return out.String()
}

// mostName keeps the table within 80 columns.
const mostName = 20

func destination(s plan.Step) string {
	name := s.Destination.Short
	if name == "" {
		_, after, found := strings.Cut(s.Destination.Name, " - ")
		if name = after; !found {
			name = s.Destination.Name
		}
	}
	return fmt.Sprintf("%s (%d)", printable.Line(name), s.Destination.ID)
}

func number(n int64) string { return fmt.Sprintf("%5d", n) }

func change(before, after int64) string { return fmt.Sprintf("%5d → %d", before, after) }

func accommodations(r proto.StepResult) string {
	if r.Accommodations == nil {
		return "   -"
	}
	return fmt.Sprintf("%4d", *r.Accommodations)
}

// conflicts are the accommodations that people who move share with people who stay.
func conflicts(p plan.Plan, s proto.Simulation, st style) string {
	var out strings.Builder
	for i, step := range p.Steps() {
		if i >= len(s.Steps) {
			break
		}
		for _, c := range s.Steps[i].Result.Conflicts {
			fmt.Fprintf(&out, "\n%s step %s: accommodation %d of centre %d\n    move with it: %s\n    stay without: %s\n    decided: %s\n",
				st.bad("shared"), step.ID, c.Accommodation, c.Centre, idList(c.Moving), idList(c.Staying), decided(step.Step, c.Accommodation, st))
		}
	}
	return out.String()
}

func decided(step plan.Step, accommodation int64, st style) string {
	for _, d := range step.Decisions {
		if d.Accommodation == accommodation {
			word := st.bad("it does not move")
			if d.Accepted {
				word = "it moves"
			}
			return fmt.Sprintf("%s (%s: %s)", word, printable.Line(d.By), printable.Line(d.Why))
		}
	}
	return st.bad("by nobody")
}

func idList(ids []int64) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(ids), " ", ", "), "[]")
}

// AppliedTable is what each step of a plan did, as the host signed it.
func AppliedTable(p plan.Plan, a proto.Applied, look Look) string {
	st := style{look.Color}
	rows := [][]cell{head(st, "STEP", "FROM", "TO", "MOVED", "ORIGIN", "DESTINATION")}
	for i, step := range p.Steps() {
		if i >= len(a.Steps) {
			break
		}
		did := a.Steps[i]
		rows = append(rows, []cell{
			{string(step.ID), nil}, {fit(fmt.Sprintf("%s (%d)", printable.Line(step.Origin.Name), step.Origin.ID), 2*mostName, look.Width), nil},
			{fit(destination(step.Step), mostName, look.Width), nil}, {number(did.Moved) + marked(a.Resolved, step.ID), st.bold},
			{change(did.OriginBefore, did.OriginAfter), nil}, {change(did.DestinationBefore, did.DestinationAfter), nil},
		})
	}
	out := "\n" + table(rows, look.Width) + resolved(a.Resolved, st)
	if a.BreakGlass != "" {
		out += st.bad("THE GLASS WAS BROKEN: ") + printable.Line(a.BreakGlass) + "\n"
	}
	return out + fmt.Sprintf("\napplied and verified on %s (%s), %s\n", printable.Line(a.Host), printable.Line(a.Environment), a.Time.Local().Format("2006-01-02 15:04"))
}

// resolvedMark stands behind a figure that may not be what one run of a step did.
const resolvedMark = "*"

// marked is the mark of a step that went on by a word, or nothing.
func marked(all []proto.ResolvedStep, id plan.StepID) string {
	if _, went := proto.ResolvedAs(all, id); went {
		return resolvedMark
	}
	return ""
}

// resolved says of each marked step where its figures come from: they are of all of it, or, where the data
// had changed and it was approved anew, of what was left. The number approved at first tells which.
func resolved(all []proto.ResolvedStep, st style) string {
	out := ""
	for _, r := range all {
		first := "how many its first run was to move is not recorded"
		if r.First != nil {
			first = fmt.Sprintf("its first run was approved to move %d", *r.First)
		}
		out += st.warn(resolvedMark+" step "+printable.Line(string(r.Step))) +
			fmt.Sprintf(" went on by --resolve %s: its figures are those last approved;\n  %s\n", printable.Line(r.As), first)
	}
	return out
}

// gates is where a plan stands on a host, gate by gate.
func (t *text) gates(e event.Event) string {
	s := e.PlanStatus
	done := 0
	for _, step := range s.Steps {
		if step.State == proto.StepVerified {
			done++
		}
	}
	out := fmt.Sprintf("\n%s plan %s, %d of %d steps verified\n", t.bold(e.Environment+" ("+e.Host+")"), cut(printable.Line(s.Plan), shortDigest), done, len(s.Steps))
	if s.Running != "" {
		out += "    job " + printable.Line(string(s.Running)) + " is running\n"
	}
	for _, gate := range s.Gates {
		state := t.good("open") + "  "
		if !gate.Open {
			state = t.bad("closed")
		}
		line := fmt.Sprintf("%4d %-11s %s", gate.Gate, string(gate.Name), state)
		if gate.Why != "" {
			line += "  " + string(gate.Why)
		}
		out += strings.TrimRight(line, " ") + "\n"
	}
	return out
}

// JobsTable is a line for each job, newest first.
func JobsTable(jobs []proto.Job, look Look) string {
	s := style{look.Color}
	rows := [][]cell{head(s, "JOB", "KIND", "STATE", "STEPS", "BEGUN", "WHO", "TICKET")}
	for _, j := range jobs {
		state := cell{printable.Line(string(j.State)), nil}
		switch j.State {
		case proto.JobSucceeded:
			state.paint = s.good
		case proto.JobFailed, proto.JobInterrupted:
			state.paint = s.bad
		}
		rows = append(rows, []cell{
			{printable.Line(string(j.ID)), nil}, {printable.Line(string(j.Kind)), nil}, state, {fmt.Sprintf("%d of %d", j.Done(), len(j.Steps)), nil},
			{event.Ago(look.Now.Sub(j.Created)), nil}, {string(j.Operator), nil}, {string(j.Ticket), nil},
		})
	}
	return table(rows, look.Width)
}
