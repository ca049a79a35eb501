package report

import (
	"fmt"
	"strings"

	"github.com/re-connect/rpctl/proto/plan"
)

// Trello is the block of the runbook's "Étape 4": the final commands without
// --dry-run, by origin, in the order in which they run. A plan of several groups
// says so, since the next one waits for the last.
func Trello(p plan.Plan) string {
	var out strings.Builder
	steps := p.Steps()
	for i, step := range steps {
		newGroup := i == 0 || steps[i-1].Group != step.Group
		if newGroup && len(p.Groups) > 1 {
			fmt.Fprintf(&out, "%s\n\n", groupHeading(p, step.Group))
		}
		if newGroup || steps[i-1].Origin.ID != step.Origin.ID {
			fmt.Fprintf(&out, "Centre initial = %s (ID %d)\n\n", step.Origin.Name, step.Origin.ID)
		}
		fmt.Fprintf(&out, "Commande %d :\n\n```\n%s\n```\n\n", i+1, step.Shell(false))
	}
	return strings.TrimSuffix(out.String(), "\n")
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
