package report

import (
	"bytes"
	"context"
	"encoding/csv"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// office converts a workbook with LibreOffice, which works its formulas out, and returns the file that it made.
func office(t *testing.T, s Source, format, filter string) []byte {
	t.Helper()
	soffice, err := exec.LookPath("soffice")
	if err != nil {
		t.Skip("LibreOffice (soffice) is not installed: what it makes of the workbook was not looked at")
	}
	dir := t.TempDir()
	var book bytes.Buffer
	if err := Workbook(&book, s); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "s.xlsx"), book.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	// A profile of its own: one that another LibreOffice holds makes this one end at once, having done nothing.
	run := exec.CommandContext(ctx, soffice, "-env:UserInstallation=file://"+filepath.Join(dir, "profile"),
		"--headless", "--convert-to", filter, "--outdir", dir, filepath.Join(dir, "s.xlsx"))
	run.WaitDelay = 5 * time.Second
	out, err := run.CombinedOutput()
	made, failed := os.ReadFile(filepath.Join(dir, "s."+format))
	if err != nil || failed != nil {
		t.Fatalf("soffice: %v, %v\n%s", err, failed, out)
	}
	return made
}

// TestLibreOfficeWorksItOut holds every rest and total that LibreOffice works out to the simulation's figures.
func TestLibreOfficeWorksItOut(t *testing.T) {
	// 44,34,76: comma, quote, UTF-8; the formulas' results.
	text := office(t, runbook(t), "csv", "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false")
	reader := csv.NewReader(bytes.NewReader(text))
	reader.FieldsPerRecord = -1
	rows, err := reader.ReadAll()
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	var got [][2]string // what moves, and what is left after it
	for _, row := range rows {
		if len(row) > 5 && row[5] != "" && row[5] != "Reste" {
			got = append(got, [2]string{row[4], row[5]})
		}
	}
	want := [][2]string{
		{"", "160"}, {"41", "119"}, {"10", "109"}, {"19", "90"}, {"7", "83"}, {"77", "83"},
		{"", "180"}, {"21", "159"}, {"37", "122"}, {"35", "87"}, {"17", "70"}, {"110", "70"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("LibreOffice shows\n%v, want\n%v\n%s", got, want, text)
	}
}

var (
	pages    = regexp.MustCompile(`/Type\s*/Page[^s]`)
	mediaBox = regexp.MustCompile(`/MediaBox\s*\[\s*0 0 ([0-9.]+) ([0-9.]+)\s*\]`)
)

// TestPrintsOnOneA4Page: the runbook's ticket is one page, A4 on its side, as wide as its columns.
func TestPrintsOnOneA4Page(t *testing.T) {
	pdf := office(t, runbook(t), "pdf", "pdf")
	boxes := mediaBox.FindAllSubmatch(pdf, -1)
	if n := len(pages.FindAll(pdf, -1)); n != 1 || len(boxes) == 0 { // a sheet that is wider than the paper has pages for its right side
		t.Fatalf("%d pages in a PDF of %d bytes", n, len(pdf))
	}
	for _, box := range boxes {
		if size := string(box[1]) + " " + string(box[2]); !strings.HasPrefix(size, "841") && !strings.HasPrefix(size, "842") || !strings.Contains(size, " 595") {
			t.Errorf("a page is %s points, want A4 on its side", size)
		}
	}
}
