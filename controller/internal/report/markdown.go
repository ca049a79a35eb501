package report

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/re-connect/rpctl/proto"
)

// Markdown is the whole simulation on one page, with the forecast after each step.
func Markdown(s Source) string {
	var out strings.Builder
	fmt.Fprintf(&out, "# Simulation : %s\n\nTicket : %s\n\n", cell(s.Plan.Centre), s.Plan.Ticket)
	for _, from := range s.origins() {
		fmt.Fprintf(&out, "## %s (ID %d) - %d suivis\n\n", cell(from.Name), from.ID, from.Total)
		out.WriteString("| Étape | Vers | ID | Règle | Migrés | Origine après | Destination après |\n|---|---|---|---|---|---|---|\n")
		for _, step := range slices.Concat(from.Done, from.Steps) {
			fmt.Fprintf(&out, "| %s | %s | %d | %s | %d | %d | %d |\n", step.ID, cell(step.Destination.Name),
				step.Destination.ID, cell(rule(step)+meanwhile(step)+already(step)), step.Forecast.Moved, step.Forecast.OriginAfter, step.Forecast.DestinationAfter)
		}
		out.WriteByte('\n')
	}
	fmt.Fprintf(&out, "Hébergements : %s\n\n%s\n", accommodations(s), Trello(s))
	fmt.Fprintf(&out, "Plan `%s`, simulation du %s sur %s (%s), révision %s.\n", s.Simulation.Plan,
		s.Simulation.Time.Format("2006-01-02 15:04 MST"), s.Simulation.Host, s.Simulation.Environment, s.Simulation.Revision)
	return out.String()
}

// already says that a step is done.
func already(step line) string {
	if step.Done {
		return " (déjà fait et vérifié" + step.word + ")"
	}
	return ""
}

// rule says in words whom a step moves.
func rule(step line) string {
	if step.NoField {
		return "tous les individus"
	}
	return fmt.Sprintf("%s = %q", step.Field, step.Value)
}

// cell keeps text from ending its cell of a table.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;").Replace(text)
}

// writeJSON is the plan and the simulation for machines; docs/json.md has the fields.
func writeJSON(w io.Writer, s Source) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(struct {
		Plan       any              `json:"plan"`
		Digest     string           `json:"digest"`
		Figures    string           `json:"figures"`
		Simulation proto.Simulation `json:"simulation"`
	}{s.Plan, s.Plan.Digest(), s.Simulation.FiguresDigest(), s.Simulation})
}
