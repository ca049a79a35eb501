// Package report writes what a simulation found for those who decide: the
// product owner on Slack, the ticket on Trello, a workbook, and machines. The
// texts are those of the runbook "RP - Migration des dossiers usagers", étapes 3 and 4.
package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

// Source is a plan and what its simulation found.
type Source struct {
	Plan       plan.Plan
	Simulation proto.Simulation
	Applied    bool // all of it was applied and verified since, as the host's receipt proves
}

// Formats are the names of the formats that go to a writer, in the order of the documentation.
var Formats = []string{"slack", "trello", "json", "markdown"}

// Write writes one of Formats.
func Write(w io.Writer, format string, s Source) error {
	if len(s.Simulation.Steps) != len(s.Plan.Steps()) || s.Simulation.Plan != s.Plan.Digest() {
		return fmt.Errorf("cannot write a report: the simulation is of another plan")
	}
	var text string
	switch format {
	case "slack":
		text = Slack(s)
	case "trello":
		text = Trello(s)
	case "markdown":
		text = Markdown(s)
	case "json":
		return writeJSON(w, s)
	default:
		return fmt.Errorf("cannot write a report as %q: want one of %s, xlsx", format, strings.Join(Formats, ", "))
	}
	_, err := io.WriteString(w, text)
	return err
}

// origin is a centre that loses people, with the steps that take them.
type origin struct {
	plan.Centre
	Total int64  // follow-ups before the steps
	Done  []line // verified before the simulation: they take nobody any more
	Steps []line
}

// line is a step with its figures.
type line struct {
	plan.Located
	proto.SimulatedStep
	// word is how a step that is done went on after a failure, in words of the report; mostly empty.
	word string
}

// origins are the plan's steps by origin, in the order in which the origins first appear.
func (s Source) origins() []origin {
	var all []origin
	for i, step := range s.Plan.Steps() {
		at := slices.IndexFunc(all, func(o origin) bool { return o.ID == step.Origin.ID })
		if at < 0 {
			at = len(all)
			all = append(all, origin{Centre: step.Origin})
		}
		from, next := &all[at], line{step, s.Simulation.Steps[i], word(s.Simulation.Resolved, step.ID)}
		switch {
		case next.Done && len(from.Steps) == 0:
			from.Total = next.Forecast.OriginAfter // as long as no dry run says what there is now
			from.Done = append(from.Done, next)
			continue
		case len(from.Steps) == 0:
			from.Total = next.Result.Origin
		}
		from.Steps = append(from.Steps, next)
	}
	return all
}

// word says that a step went on by the operator's word, that its figures are those last approved, and what was approved at first.
func word(all []proto.ResolvedStep, id plan.StepID) string {
	r, went := proto.ResolvedAs(all, id)
	if !went {
		return ""
	}
	first := "sa première exécution en migrait un nombre non enregistré"
	if r.First != nil {
		first = fmt.Sprintf("sa première exécution devait en migrer %d", *r.First)
	}
	return fmt.Sprintf(", après --resolve %s : chiffre approuvé en dernier, %s", printable.Line(r.As), first)
}

// isDone says whether a step, by its place in the plan, is verified: before the simulation, or since.
func (s Source) isDone(at int) bool { return s.Applied || s.Simulation.Steps[at].Done }

// done is how many steps are.
func (s Source) done() int {
	n := 0
	for i := range s.Simulation.Steps {
		if s.isDone(i) {
			n++
		}
	}
	return n
}

// AllDone says that no command of the plan is left to run.
func (s Source) AllDone() bool { return s.done() == len(s.Simulation.Steps) }

// short is how a destination is called in one line: by its short name, or
// without the words that it shares with its origin ("France Fraternités - ").
func short(from, to plan.Centre) string {
	if to.Short != "" {
		return to.Short
	}
	family, _, found := strings.Cut(from.Name, " - ")
	if name, ok := strings.CutPrefix(to.Name, family+" - "); found && ok {
		return name
	}
	return to.Name
}

// count writes a number with its noun: French takes the plural from two on.
func count(n int64, one, many string) string {
	if n >= 2 {
		return fmt.Sprintf("%d %s", n, many)
	}
	return fmt.Sprintf("%d %s", n, one)
}

// decision finds what the plan says of a shared accommodation.
func decision(step plan.Step, accommodation int64) (plan.Decision, bool) {
	at := slices.IndexFunc(step.Decisions, func(d plan.Decision) bool { return d.Accommodation == accommodation })
	if at < 0 {
		return plan.Decision{}, false
	}
	return step.Decisions[at], true
}

// ids writes individuals as the console does.
func ids(all []int64) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(all), " ", ", "), "[]")
}
