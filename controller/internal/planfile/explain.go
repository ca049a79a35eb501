package planfile

import (
	"fmt"
	"io"

	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/proto/plan"
)

// Explain writes a plan in words, with the exact commands that it stands for.
func Explain(w io.Writer, p plan.Plan) {
	steps := p.Steps()
	fmt.Fprintf(w, "%s\nticket  %s\nplan    %s\n%d %s in %d %s\n", printable.Line(p.Centre), printable.Line(p.Ticket), p.Digest(),
		len(steps), plural(len(steps), "step"), len(p.Groups), plural(len(p.Groups), "group"))
	for i, step := range steps {
		if i == 0 || steps[i-1].Group != step.Group {
			heading(w, p, step.Group)
		}
		fmt.Fprintf(w, "\n  %s  %s\n       %s\n", step.ID, words(step.Step), step.Shell(false))
		for _, d := range step.Decisions {
			fmt.Fprintf(w, "       accommodation %d: %s\n", d.Accommodation, decided(d))
		}
	}
}

func heading(w io.Writer, p plan.Plan, group int) {
	fmt.Fprintf(w, "\ngroup %d", group+1)
	if name := p.Groups[group].Name; name != "" {
		fmt.Fprintf(w, ": %s", printable.Line(name))
	}
	if group > 0 {
		fmt.Fprintf(w, " (begins when group %d is verified)", group)
	}
	fmt.Fprintln(w)
}

// words says whom a step moves, from where to where.
func words(s plan.Step) string {
	who := fmt.Sprintf("those whose %s is exactly %q", s.Field, s.Value)
	if s.NoField {
		who = "everybody"
	}
	if s.WithDeleted {
		who += ", deleted ones included,"
	}
	what := fmt.Sprintf("move %s from %s (%d) to %s (%d)", who,
		printable.Line(s.Origin.Name), s.Origin.ID, printable.Line(s.Destination.Name), s.Destination.ID)
	if s.WithAccommodations {
		return what + ", with their accommodations"
	}
	return what + "; they leave their accommodations"
}

func decided(d plan.Decision) string {
	verdict := "stays, and the step is refused"
	if d.Accepted {
		verdict = "moves, and those who stay lose it"
	}
	return fmt.Sprintf("%s (%s: %s)", verdict, printable.Line(d.By), printable.Line(d.Why))
}

func plural(n int, noun string) string {
	if n == 1 {
		return noun
	}
	return noun + "s"
}
