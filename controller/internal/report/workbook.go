package report

import (
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/xuri/excelize/v2"
)

// sheet is the name of the workbook's only sheet.
const sheet = "Simulation"

var unfit = regexp.MustCompile(`[^\p{L}\p{N}-]+`)

// WorkbookName is the runbook's file name, simulation_migration_{NOM_CENTRE}.xlsx,
// with underscores for what does not fit a file's name everywhere.
func WorkbookName(centre string) string {
	return "simulation_migration_" + strings.Trim(unfit.ReplaceAllString(centre, "_"), "_") + ".xlsx"
}

// Workbook writes the runbook's "Option B": a table for each origin with the
// progressive countdown as live formulas, then the conflicts and the commands.
func Workbook(w io.Writer, s Source) (err error) {
	file := excelize.NewFile()
	defer file.Close()
	if err := file.SetSheetName("Sheet1", sheet); err != nil {
		return fmt.Errorf("cannot make the workbook: %w", err)
	}
	b := &book{file: file, next: 1}
	b.styles()
	b.heading(s)
	for _, from := range s.origins() {
		b.origin(from)
	}
	b.conflicts(s)
	b.commands(s)
	b.paper()
	if b.err != nil {
		return fmt.Errorf("cannot make the workbook: %w", b.err)
	}
	_, err = file.WriteTo(w)
	return err
}

// book writes rows one below the other and keeps the first error.
type book struct {
	file                *excelize.File
	next                int // the next free row
	title, head, totals int // styles
	err                 error
}

func (b *book) do(err error) {
	if b.err == nil {
		b.err = err
	}
}

func (b *book) styles() {
	style := func(s *excelize.Style) int {
		id, err := b.file.NewStyle(s)
		b.do(err)
		return id
	}
	b.title = style(&excelize.Style{Font: &excelize.Font{Bold: true, Size: 14}})
	b.head = style(&excelize.Style{Font: &excelize.Font{Bold: true}, Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"DDEBF7"}}})
	b.totals = style(&excelize.Style{Font: &excelize.Font{Bold: true}, Border: []excelize.Border{{Type: "top", Style: 1, Color: "000000"}}})
}

// row writes cells from column A on, in one style (0 for none), and returns its number. Text
// is written as text: a value that begins with = is no formula. A formula is a formula.
func (b *book) row(style int, cells ...any) int {
	row := b.next
	b.next++
	for i, value := range cells {
		at, err := excelize.CoordinatesToCellName(i+1, row)
		b.do(err)
		switch v := value.(type) {
		case formula:
			b.do(b.file.SetCellFormula(sheet, at, string(v)))
		case string:
			b.do(b.file.SetCellStr(sheet, at, v))
		default:
			b.do(b.file.SetCellValue(sheet, at, v))
		}
	}
	if style != 0 && len(cells) > 0 {
		last, err := excelize.CoordinatesToCellName(len(cells), row)
		b.do(err)
		b.do(b.file.SetCellStyle(sheet, fmt.Sprintf("A%d", row), last, style))
	}
	return row
}

// formula is a cell that the spreadsheet works out.
type formula string

func (b *book) heading(s Source) {
	b.row(b.title, "Simulation de migration : "+s.Plan.Centre)
	b.row(0, "Ticket", s.Plan.Ticket)
	b.row(0, "Environnement", fmt.Sprintf("%s (%s), révision %s", s.Simulation.Environment, s.Simulation.Host, s.Simulation.Revision))
	b.row(0, "Simulé le", s.Simulation.Time.Format("2006-01-02 15:04 MST"))
	b.row(0, "Plan (sha256)", s.Simulation.Plan)
	b.next++
}

// origin is one table: each rest is the rest above less what this step moves.
func (b *book) origin(from origin) {
	b.row(b.title, fmt.Sprintf("Centre d'origine : %s (ID %d)", from.Name, from.ID))
	b.row(b.head, "Étape", "Vers", "ID", "Règle", "Migrés", "Reste")
	for _, step := range from.Done {
		b.row(0, string(step.ID), step.Destination.Name, step.Destination.ID, fmt.Sprintf("%s%s : %s", rule(step), already(step), count(step.Forecast.Moved, "migré", "migrés")))
	}
	first := b.row(0, "", "Total initial", "", "", "", from.Total)
	for _, step := range from.Steps {
		above := b.next - 1
		b.row(0, string(step.ID), step.Destination.Name, step.Destination.ID, rule(step)+meanwhile(step), step.Result.Moved,
			formula(fmt.Sprintf("F%d-E%d", above, above+1)))
	}
	last := b.next - 1
	b.row(b.totals, "", "Total migré", "", "", formula(fmt.Sprintf("SUM(E%d:E%d)", first+1, last)), formula(fmt.Sprintf("F%d", last)))
	b.next++
}

func (b *book) conflicts(s Source) {
	b.row(b.title, "Hébergements")
	b.row(0, accommodations(s))
	headed := false
	for _, from := range s.origins() {
		for _, step := range from.Steps {
			for _, c := range step.Result.Conflicts {
				if !headed {
					b.row(b.head, "Étape", "Centre ID", "Hébergement ID", "Individus non migrés", "Individus migrés", "Décision")
					headed = true
				}
				b.row(0, string(step.ID), c.Centre, c.Accommodation, ids(c.Staying), ids(c.Moving), decided(step, c.Accommodation))
			}
		}
	}
	b.next++
}

// decided is the decision on a shared accommodation in a few words.
func decided(step line, accommodation int64) string {
	d, ok := decision(step.Located.Step, accommodation)
	switch {
	case !ok:
		return "à prendre"
	case d.Accepted:
		return fmt.Sprintf("acceptée par %s : %s", d.By, d.Why)
	default:
		return fmt.Sprintf("refusée par %s : %s", d.By, d.Why)
	}
}

// commands are those that are still to run: of a step that is done there is only the word that it is.
func (b *book) commands(s Source) {
	b.row(b.title, "Commandes finales")
	for i, step := range s.Plan.Steps() {
		if s.Simulation.Steps[i].Done {
			b.row(0, string(step.ID), "déjà fait et vérifié, ne pas relancer")
			continue
		}
		b.row(0, string(step.ID), step.Shell(false))
	}
}

// paper makes the sheet fit the width of an A4 page.
func (b *book) paper() {
	for column, width := range map[string]float64{"A": 16, "B": 34, "C": 16, "D": 32, "E": 18, "F": 18} {
		b.do(b.file.SetColWidth(sheet, column, column, width))
	}
	a4, landscape, one, many := 9, "landscape", 1, 0
	b.do(b.file.SetPageLayout(sheet, &excelize.PageLayoutOptions{Size: &a4, Orientation: &landscape, FitToWidth: &one, FitToHeight: &many}))
	fit := true
	b.do(b.file.SetSheetProps(sheet, &excelize.SheetPropsOptions{FitToPage: &fit}))
	// The formulas carry no results: the program that opens the file works them out.
	b.do(b.file.SetCalcProps(&excelize.CalcPropsOptions{FullCalcOnLoad: &fit}))
}
