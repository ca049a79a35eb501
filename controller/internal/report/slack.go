package report

import (
	"fmt"
	"strings"
)

// Slack is the runbook's "Option A — Message Slack directe au PO". Each rest is
// the origin's total less what this one rule moves, as the dry runs print it.
func Slack(s Source) string {
	var out strings.Builder
	for _, from := range s.origins() {
		fmt.Fprintf(&out, "Centre d'origine : %s (ID %d) - %d suivis au total\n", from.Name, from.ID, from.Total)
		for _, step := range from.Done {
			fmt.Fprintf(&out, "→ vers %s (ID %d) : %d migrés, déjà fait et vérifié%s\n", short(from.Centre, step.Destination), step.Destination.ID, step.Forecast.Moved, step.word)
		}
		for _, step := range from.Steps {
			fmt.Fprintf(&out, "→ vers %s (ID %d) : %d migrés | reste %d%s\n",
				short(from.Centre, step.Destination), step.Destination.ID, step.Result.Moved, from.Total-step.Result.Moved, meanwhile(step))
		}
		out.WriteByte('\n')
	}
	fmt.Fprintf(&out, "Hébergements : %s\n", accommodations(s))
	return out.String()
}

// meanwhile says that a step will find others than its dry run did: people whom an earlier step
// brings or takes away. The dry runs all see the data as it is before the plan.
func meanwhile(step line) string {
	if step.Forecast.Moved == step.Result.Moved {
		return ""
	}
	return fmt.Sprintf(" (%d à son tour, après les étapes précédentes)", step.Forecast.Moved)
}

// accommodations is the runbook's last line: how many move, and each conflict with its decision. One
// that is shared by people of several steps moves with the first of them, and counts once.
func accommodations(s Source) string {
	var total int64
	asked := false
	counted := map[[2]int64]bool{}
	var conflicts []string
	for _, from := range s.origins() {
		for _, step := range from.Steps {
			asked = asked || step.WithAccommodations
			if step.Result.Accommodations != nil {
				total += *step.Result.Accommodations
			}
			for _, c := range step.Result.Conflicts {
				if counted[[2]int64{c.Centre, c.Accommodation}] {
					total--
				}
				counted[[2]int64{c.Centre, c.Accommodation}] = true
			}
			conflicts = append(conflicts, describeConflicts(step)...)
		}
	}
	if !asked {
		return "non migrés — les individus migrés sont décrochés de leur hébergement"
	}
	moved := count(total, "hébergement migré", "hébergements migrés")
	if len(conflicts) == 0 {
		return moved + " — aucun conflit détecté"
	}
	return fmt.Sprintf("%s — %s : %s", moved,
		count(int64(len(conflicts)), "conflit", "conflits"), strings.Join(conflicts, " ; "))
}

// describeConflicts says of each shared accommodation who stays without it, and what was decided.
func describeConflicts(step line) []string {
	var all []string
	for _, c := range step.Result.Conflicts {
		what := fmt.Sprintf("hébergement %d du centre %d (individus non migrés : %s ; migrés : %s)",
			c.Accommodation, c.Centre, ids(c.Staying), ids(c.Moving))
		switch d, decided := decision(step.Located.Step, c.Accommodation); {
		case !decided:
			what += ", décision à prendre"
		case d.Accepted:
			what += fmt.Sprintf(", migration acceptée par %s : %s", d.By, d.Why)
		default:
			what += fmt.Sprintf(", migration refusée par %s : %s", d.By, d.Why)
		}
		all = append(all, what)
	}
	return all
}
