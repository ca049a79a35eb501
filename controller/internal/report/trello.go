package report

import (
	"fmt"
	"strings"

	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/proto/plan"
)

// Trello is the block of the runbook's "Étape 4": the final commands without
// --dry-run, by origin, in the order in which they run. A plan of several groups
// says so, since the next one waits for the last. What is done is left out, and
// counted: a command that is pasted once more moves other people.
func Trello(s Source) string {
	var out strings.Builder
	steps := s.Plan.Steps()
	if done := s.done(); done > 0 {
		fmt.Fprintf(&out, "%s, %s\n\n", count(int64(done), "étape déjà faite et vérifiée", "étapes déjà faites et vérifiées"), leftOut(done, len(steps)))
	}
	for _, r := range s.Simulation.Resolved {
		fmt.Fprintf(&out, "Étape %s%s\n\n", printable.Line(string(r.Step)), word(s.Simulation.Resolved, r.Step))
	}
	var before *plan.Located // the step whose command was written last
	for i, step := range steps {
		if s.isDone(i) {
			continue
		}
		newGroup := before == nil || before.Group != step.Group
		if newGroup && len(s.Plan.Groups) > 1 {
			fmt.Fprintf(&out, "%s\n\n", groupHeading(s.Plan, step.Group))
		}
		if newGroup || before.Origin.ID != step.Origin.ID {
			fmt.Fprintf(&out, "Centre initial = %s (ID %d)\n\n", step.Origin.Name, step.Origin.ID)
		}
		fmt.Fprintf(&out, "Commande %d :\n\n```\n%s\n```\n\n", i+1, step.Shell(false))
		before = &step
	}
	return strings.TrimSuffix(out.String(), "\n")
}

// leftOut says what became of the commands of steps that are done.
func leftOut(done, all int) string {
	if done == all {
		return "il ne reste aucune commande à lancer."
	}
	return "sans commande ci-dessous : ne pas relancer."
}

func groupHeading(p plan.Plan, group int) string {
	heading := fmt.Sprintf("Groupe %d", group+1)
	if name := p.Groups[group].Name; name != "" {
		heading += " - " + name
	}
	if group > 0 {
		heading += fmt.Sprintf(" (après vérification du groupe %d)", group)
	}
	return heading
}
