package report

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
	"github.com/xuri/excelize/v2"
)

// runbookSlack is the message of the runbook's étape 3, Option A.
const runbookSlack = `Centre d'origine : France Fraternités - CHU 75 (ID 4537) - 160 suivis au total
→ vers CHU 77 (ID 5644) : 41 migrés | reste 119
→ vers CPH (ID 4960) : 10 migrés | reste 150
→ vers DAHAR (ID 5634) : 19 migrés | reste 141
→ vers TEH (ID 5645) : 7 migrés | reste 153

Centre d'origine : France Fraternités - CPH (ID 4960) - 180 suivis au total
→ vers CHU 75 (ID 4537) : 21 migrés | reste 159
→ vers CHU 77 (ID 5644) : 37 migrés | reste 143
→ vers DAHAR (ID 5634) : 35 migrés | reste 145
→ vers TEH (ID 5645) : 17 migrés | reste 163
`

func centre(id int64, name string) plan.Centre {
	return plan.Centre{ID: id, Name: "France Fraternités - " + name}
}

// runbook is the runbook's ticket with the figures of its dry runs.
func runbook(t *testing.T) Source {
	t.Helper()
	totals := map[int64]int64{4537: 160, 4960: 180, 5644: 0, 5634: 12, 5645: 3}
	names := map[int64]string{4537: "CHU 75", 4960: "CPH", 5644: "CHU 77", 5634: "DAHAR", 5645: "TEH"}
	p := plan.Plan{Version: 1, Ticket: "https://trello.com/c/abc", Centre: "France Fraternités"}
	var figures []plan.Figures
	for _, group := range [][][3]int64{
		{{4537, 5644, 41}, {4537, 4960, 10}, {4537, 5634, 19}, {4537, 5645, 7}},
		{{4960, 4537, 21}, {4960, 5644, 37}, {4960, 5634, 35}, {4960, 5645, 17}},
	} {
		var steps []plan.Step
		for _, s := range group {
			steps = append(steps, plan.Step{
				Origin: centre(s[0], names[s[0]]), Destination: centre(s[1], names[s[1]]),
				Field: "migration-des-donnees", Value: names[s[1]], WithAccommodations: true,
			})
			figures = append(figures, plan.Figures{Origin: totals[s[0]], Destination: totals[s[1]], Moved: s[2]})
		}
		p.Groups = append(p.Groups, plan.Group{Steps: steps})
	}
	if findings := plan.Check(p); plan.Refused(findings) {
		t.Fatal(findings)
	}
	forecasts, err := plan.Forecasts(p, figures, plan.NoneDone)
	if err != nil {
		t.Fatal(err)
	}
	simulation := proto.Simulation{Kind: "simulation", Environment: "preprod", Host: "rp-preprod", Plan: p.Digest(),
		Revision: "abc1234", Time: time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC)}
	for i, f := range forecasts {
		one := int64(1)
		simulation.Steps = append(simulation.Steps, proto.SimulatedStep{
			Step: f.Step, Forecast: f, Result: proto.StepResult{Figures: figures[i], Accommodations: &one},
		})
	}
	return Source{Plan: p, Simulation: simulation}
}

func TestSlackIsTheRunbooks(t *testing.T) {
	want := runbookSlack + "\nHébergements : 8 hébergements migrés — aucun conflit détecté\n"
	if got := Slack(runbook(t)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestSlackNamesConflictsAndDecisions(t *testing.T) {
	s := runbook(t)
	s.Simulation.Steps[0].Result.Conflicts = []proto.Conflict{{Centre: 4537, Accommodation: 892, Staying: []int64{1042, 1078}, Moving: []int64{1035}}}
	const open = "8 hébergements migrés — 1 conflit : hébergement 892 du centre 4537 (individus non migrés : 1042, 1078 ; migrés : 1035), décision à prendre"
	if got := accommodations(s); got != open {
		t.Errorf("%s", got)
	}
	s.Simulation.Steps[1].Result.Conflicts = []proto.Conflict{{Centre: 4537, Accommodation: 892, Staying: []int64{1035, 1042}, Moving: []int64{1078}}}
	if got := accommodations(s); !strings.HasPrefix(got, "7 hébergements migrés — 2 conflits") { // 892 goes once
		t.Errorf("%s", got)
	}
	s.Simulation.Steps[1].Result.Conflicts = nil
	s.Plan.Groups[0].Steps[0].Decisions = []plan.Decision{{Accommodation: 892, Accepted: true, By: "Claire", Why: "vu avec le CHU"}}
	if got := accommodations(s); !strings.HasSuffix(got, "migration acceptée par Claire : vu avec le CHU") {
		t.Errorf("%s", got)
	}
}

func TestTrelloIsTheRunbooks(t *testing.T) {
	s := runbook(t)
	s.Plan.Groups = s.Plan.Groups[:1]
	s.Plan.Groups[0].Steps = s.Plan.Groups[0].Steps[:2]
	for i := range s.Plan.Groups[0].Steps {
		s.Plan.Groups[0].Steps[i].WithAccommodations = false
	}
	const command = "php bin/console app:migrate-individuals-to-other-organization -o 4537"
	want := "Centre initial = France Fraternités - CHU 75 (ID 4537)\n\n" +
		"Commande 1 :\n\n```\n" + command + " -d 5644 -f migration-des-donnees -t \"CHU 77\"\n```\n\n" +
		"Commande 2 :\n\n```\n" + command + " -d 4960 -f migration-des-donnees -t \"CPH\"\n```\n"
	if got := Trello(s); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestTrelloOfAnAppliedPlanHasNoCommand(t *testing.T) {
	s := runbook(t)
	slack := Slack(s)
	s.Applied = true
	const want = "8 étapes déjà faites et vérifiées, il ne reste aucune commande à lancer.\n"
	if got := Trello(s); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := Slack(s); got != slack { // they are what the product owner was asked
		t.Errorf("the figures of Slack became %q", got)
	}
}

func TestTrelloKeepsTheOrderOfGroups(t *testing.T) {
	got := Trello(runbook(t))
	first, second := strings.Index(got, "Groupe 1\n"), strings.Index(got, "Groupe 2 (après vérification du groupe 1)\n")
	if first != 0 || second < strings.Index(got, "Commande 4") || second > strings.Index(got, "Commande 5") {
		t.Errorf("%s", got)
	}
}

func TestReportOfAnotherPlanIsRefused(t *testing.T) {
	s := runbook(t)
	s.Plan.Centre = "edited"
	for _, format := range Formats {
		if err := Write(&bytes.Buffer{}, format, s); err == nil {
			t.Errorf("%s was written", format)
		}
	}
}

func TestFormats(t *testing.T) {
	for format, want := range map[string]string{
		"slack": "→ vers TEH (ID 5645) : 7 migrés | reste 153", "trello": "Commande 8 :",
		"markdown": "| 2.1 | France Fraternités - CHU 75 | 4537 | migration-des-donnees = \"CHU 75\" | 21 |",
		"json":     `"figures": "`,
	} {
		var out bytes.Buffer
		if err := Write(&out, format, runbook(t)); err != nil || !strings.Contains(out.String(), want) {
			t.Errorf("%s: %v\n%s", format, err, out.String())
		}
	}
	if err := Write(&bytes.Buffer{}, "pdf", runbook(t)); err == nil || !strings.Contains(err.Error(), "want one of slack, trello, json, markdown, xlsx") {
		t.Error(err)
	}
}

// TestWorkbookCellByCell reads the first origin's table back and works its formulas out.
func TestWorkbookCellByCell(t *testing.T) {
	s := runbook(t)
	s.Plan.Groups[0].Steps[0].Value = `=HYPERLINK("http://x")`
	s.Simulation.Plan = s.Plan.Digest()
	var out bytes.Buffer
	if err := Workbook(&out, s); err != nil {
		t.Fatal(err)
	}
	file, err := excelize.OpenReader(&out)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for at, want := range map[string]string{
		"A1": "Simulation de migration : France Fraternités", "B5": s.Plan.Digest(),
		"A7": "Centre d'origine : France Fraternités - CHU 75 (ID 4537)",
		"A8": "Étape", "F8": "Reste", "B9": "Total initial", "F9": "160",
		"A10": "1.1", "B10": "France Fraternités - CHU 77", "C10": "5644", "E10": "41",
		"D10": fmt.Sprintf("migration-des-donnees = %q", `=HYPERLINK("http://x")`),
		"E13": "7", "B14": "Total migré",
		"A16": "Centre d'origine : France Fraternités - CPH (ID 4960)", "F18": "180",
	} {
		if got, err := file.GetCellValue(sheet, at); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", at, got, err, want)
		}
	}
	for at, want := range map[string]string{"F10": "119", "F11": "109", "F12": "90", "F13": "83", "E14": "77", "F14": "83"} {
		if formula, _ := file.GetCellFormula(sheet, at); formula == "" {
			t.Errorf("%s is no formula", at)
		}
		if got, err := file.CalcCellValue(sheet, at); err != nil || got != want {
			t.Errorf("%s works out to %q, %v, want %q", at, got, err, want)
		}
	}
}

func TestWorkbookName(t *testing.T) {
	for centre, want := range map[string]string{
		"France Fraternités - CHU 75": "simulation_migration_France_Fraternités_-_CHU_75.xlsx",
		"../../etc/passwd":            "simulation_migration_etc_passwd.xlsx",
	} {
		if got := WorkbookName(centre); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestPeopleWhoAreMovedOn: 41 arrive in CPH by the first step and leave it by the second, with 37 others.
func TestPeopleWhoAreMovedOn(t *testing.T) {
	p := plan.Plan{Version: 1, Ticket: "t", Centre: "c", Groups: []plan.Group{
		{Steps: []plan.Step{{Origin: centre(1, "A"), Destination: centre(2, "B"), Field: "f", Value: "x"}}},
		{Steps: []plan.Step{{Origin: centre(2, "B"), Destination: centre(3, "C"), Field: "f", Value: "x"}}},
	}}
	figures := []plan.Figures{{Origin: 160, Destination: 180, Moved: 41}, {Origin: 180, Destination: 0, Moved: 37}}
	forecasts, err := plan.Forecasts(p, figures, plan.NoneDone)
	if err != nil {
		t.Fatal(err)
	}
	s := Source{Plan: p, Simulation: proto.Simulation{Plan: p.Digest()}}
	for i, f := range forecasts {
		s.Simulation.Steps = append(s.Simulation.Steps, proto.SimulatedStep{Step: f.Step, Forecast: f, Result: proto.StepResult{Figures: figures[i]}})
	}
	const want = "→ vers C (ID 3) : 37 migrés | reste 143 (78 à son tour, après les étapes précédentes)\n"
	if got := Slack(s); !strings.Contains(got, want) {
		t.Errorf("%s", got)
	}
}

// TestWhatIsDoneCountsNoMore: a plan that has begun is reported from where it stands now.
func TestWhatIsDoneCountsNoMore(t *testing.T) {
	s := runbook(t)
	s.Simulation.Steps[0].Done = true
	for i, moved := range []int64{10, 19, 7} {
		s.Simulation.Steps[1+i].Result.Figures = plan.Figures{Origin: 120, Destination: 180, Moved: moved} // somebody came to the 119
	}
	got := Slack(s)
	for _, want := range []string{
		"Centre d'origine : France Fraternités - CHU 75 (ID 4537) - 120 suivis au total\n→ vers CHU 77 (ID 5644) : 41 migrés, déjà fait et vérifié\n→ vers CPH (ID 4960) : 10 migrés | reste 110\n",
		"7 hébergements migrés",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("want %s in\n%s", want, got)
		}
	}
	const done = "-d 5644 -f migration-des-donnees -t \"CHU 77\"" // of step 1.1, and with origin 4960 of 2.2
	for name, text := range map[string]string{"trello": Trello(s), "markdown": Markdown(s)} {
		if strings.Contains(text, "-o 4537 "+done) || !strings.Contains(text, "-o 4960 "+done) || strings.Contains(text, "Commande 1 :") ||
			!strings.Contains(text, "1 étape déjà faite et vérifiée, sans commande ci-dessous : ne pas relancer.\n\nGroupe 1\n\nCentre initial = France Fraternités - CHU 75 (ID 4537)\n\nCommande 2 :") {
			t.Errorf("%s gives out what is done:\n%s", name, text)
		}
	}
	if got := Markdown(s); strings.Count(got, "(déjà fait et vérifié) | 41 | 119 |") != 1 {
		t.Errorf("%s", got)
	}
	var out bytes.Buffer
	if err := Workbook(&out, s); err != nil {
		t.Fatal(err)
	}
	file, err := excelize.OpenReader(&out)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for at, want := range map[string]string{"A9": "1.1", "E9": "", "F10": "120", "F11": "110", "E14": "36", "F14": "84"} {
		if got, err := file.CalcCellValue(sheet, at); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", at, got, err, want)
		}
	}
	rows, err := file.GetRows(sheet)
	if err != nil {
		t.Fatal(err)
	}
	commands := map[string]string{}
	for _, row := range rows[len(rows)-8:] {
		commands[row[0]] = row[1]
	}
	if commands["1.1"] != "déjà fait et vérifié, ne pas relancer" || !strings.Contains(commands["1.2"], "-o 4537 -d 4960 ") {
		t.Errorf("the workbook's commands: %q", commands)
	}
}

// TestStepsThatWentOnByAWordAreMarked: in every format, and nowhere where there is none.
func TestStepsThatWentOnByAWordAreMarked(t *testing.T) {
	s, forty := runbook(t), int64(40)
	s.Simulation.Steps[0].Done, s.Simulation.Steps[1].Done = true, true
	formats := func() map[string]string {
		texts := map[string]string{"slack": Slack(s), "trello": Trello(s), "markdown": Markdown(s)}
		var book, data bytes.Buffer
		if err := errors.Join(Workbook(&book, s), Write(&data, "json", s)); err != nil {
			t.Fatal(err)
		}
		texts["json"], texts["xlsx"] = data.String(), allCells(t, &book)
		return texts
	}
	for name, text := range formats() {
		if strings.Contains(text, "resolve") {
			t.Errorf("%s marks a step that went on by no word:\n%s", name, text)
		}
	}
	s.Simulation.Resolved = []proto.ResolvedStep{{Step: "1.1", As: proto.ResolveRerun, First: &forty}, {Step: "1.2", As: proto.ResolveDone}}
	for name, text := range formats() {
		wanted := []string{
			", après --resolve rerun : chiffre approuvé en dernier, sa première exécution devait en migrer 40",
			", après --resolve done : chiffre approuvé en dernier, sa première exécution en migrait un nombre non enregistré",
		}
		if name == "json" {
			wanted = []string{`"resolved": [`, `"as": "rerun"`, `"first": 40`}
		}
		for _, want := range wanted {
			if strings.Count(text, want) < 1 {
				t.Errorf("%s: want %q in\n%s", name, want, text)
			}
		}
	}
	if first, rest, _ := strings.Cut(Slack(s), "\n→ vers DAHAR"); !strings.Contains(first, "41 migrés, déjà fait et vérifié, après --resolve") || strings.Contains(rest, "--resolve") {
		t.Errorf("%s", first)
	}
}

// allCells is the text of a workbook's cells.
func allCells(t *testing.T, book io.Reader) string {
	t.Helper()
	file, err := excelize.OpenReader(book)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows, err := file.GetRows(sheet)
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, row := range rows {
		text += strings.Join(row, "|") + "\n"
	}
	return text
}

// TestNothingIsLeftToRun: a plan that is wholly done has no commands to paste.
func TestNothingIsLeftToRun(t *testing.T) {
	s := runbook(t)
	for i := range s.Simulation.Steps {
		s.Simulation.Steps[i].Done = true
	}
	if got := Trello(s); got != "8 étapes déjà faites et vérifiées, il ne reste aucune commande à lancer.\n" {
		t.Errorf("%q", got)
	}
}
