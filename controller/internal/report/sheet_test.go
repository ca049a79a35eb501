package report

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
	"github.com/xuri/excelize/v2"
)

var update = flag.Bool("update", false, "write the golden file anew")

// TestWholeWorkbook reads every cell back: a line a row, formulas as they are written.
func TestWholeWorkbook(t *testing.T) {
	s := runbook(t)
	s.Simulation.Steps[0].Result.Conflicts = []proto.Conflict{{Centre: 4537, Accommodation: 892, Staying: []int64{1042, 1078}, Moving: []int64{1035}}}
	s.Plan.Groups[0].Steps[0].Decisions = []plan.Decision{{Accommodation: 892, Accepted: true, By: "Claire", Why: "vu avec le CHU"}}
	var book bytes.Buffer
	if err := Workbook(&book, s); err != nil {
		t.Fatal(err)
	}
	file, err := excelize.OpenReader(&book)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows, err := file.GetRows(sheet)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for r := range rows {
		var cells []string
		for c := range 6 {
			at, err := excelize.CoordinatesToCellName(c+1, r+1)
			if err != nil {
				t.Fatal(err)
			}
			value, err := file.GetCellValue(sheet, at)
			if err != nil {
				t.Fatal(err)
			}
			if formula, _ := file.GetCellFormula(sheet, at); formula != "" {
				value = "=" + formula
			}
			cells = append(cells, value)
		}
		text.WriteString(strings.TrimRight(strings.Join(cells, " | "), " |") + "\n")
	}
	const golden = "testdata/workbook.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if text.String() != string(want) {
		t.Errorf("the workbook reads\n%s\nwant\n%s", text.String(), want)
	}
}
