package symfony

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestEveryStyle reads what the real Symfony Console of Debian 12 and 13 printed
// (testdata/tables.php made it): STYLE.ansi|plain.CASE.txt.
func TestEveryStyle(t *testing.T) {
	names := map[string]string{
		"plain": "France Fraternités - CHU 75",
		"wide":  "Centre 東京 d’hébergement | très long nom qui dépasse + 42",
		"wrap":  "Centre 東京 d’hébergement | très long nom qui dépasse + 42",
		"multi": "Centre à deux lignes",
	}
	files, _ := filepath.Glob("testdata/*.txt")
	if len(files) < 6*2*4 {
		t.Fatalf("only %d samples", len(files))
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			output, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got, err := ParseMigration(output)
			if err != nil {
				t.Fatal(err)
			}
			name := names[strings.Split(filepath.Base(file), ".")[2]]
			checkSample(t, got, name)
		})
	}
}

func checkSample(t *testing.T, got Migration, name string) {
	t.Helper()
	if got.Origin.ID != 4537 || got.Origin.Before != 160 || got.Origin.After != 119 || got.Moved != 41 {
		t.Errorf("origin: %+v, %d moved", got.Origin, got.Moved)
	}
	if got.Destination.ID != 5644 || got.Destination.Before != 0 || got.Destination.After != 41 {
		t.Errorf("destination: %+v", got.Destination)
	}
	if !got.Origin.Name.Is(name) || got.Origin.Name.Is(name+"x") || !got.Destination.Name.Is("France Fraternités - CHU 77") {
		t.Errorf("names: %q, %q", got.Origin.Name, got.Destination.Name)
	}
	if got.Accommodations == nil || *got.Accommodations != 3 || len(got.Conflicts) != 2 {
		t.Fatalf("accommodations: %v, conflicts: %+v", got.Accommodations, got.Conflicts)
	}
	if c := got.Conflicts[1]; c.Accommodation != 893 || len(c.Staying) != 10 || c.Staying[9] != 10 || len(c.Moving) != 1 || c.Moving[0] != 11 {
		t.Errorf("second conflict: %+v", c)
	}
}

// TestRefused changes a good output in one place each: no change may pass as figures.
func TestRefused(t *testing.T) {
	good, err := os.ReadFile("testdata/default.plain.plain.txt")
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(good), "Hébergements")
	for name, change := range map[string][2]string{
		"sums of the origin":      {"119 (- 41", "118 (- 41"},
		"moved is not entered":    {"(+ 41 ", "(+ 40 "},
		"a sign":                  {"160 ", "-60 "},
		"a separator":             {"160 ", "1 6 "},
		"an empty number":         {"160 ", "    "},
		"role":                    {"Origine ", "Origin  "},
		"header":                  {"Nb. suivis", "Nb. suivi "},
		"border out of its place": {"| 4537      |", "| 4537       |"},
		"cut after the head":      {string(good), first[:len(first)/2]},
		"no table":                {first, ""},
		"twice the table":         {first, first + first},
		"accommodations twice":    {"Hébergements à migrer: 3", "Hébergements à migrer: 3\nHébergements à migrer: 4"},
		"accommodations in words": {"Hébergements à migrer: 3", "Hébergements à migrer: trois"},
		"conflicts, no total":     {"Hébergements à migrer: 3\n", ""},
		"conflicts, no heading":   {"Problème: Hébergements avec individus non migrés rattachés\n", ""},
		"alert in other words":    {"Problème: Hébergements avec individus non migrés rattachés\n", "Problème : hébergements partagés\n"},
		"id in a list":            {"1042, 1078", "1042; 1078"},
		"invalid UTF-8 in a role": {"Origine", "Origin\xff"},
	} {
		t.Run(name, func(t *testing.T) {
			output := strings.Replace(string(good), change[0], change[1], 1)
			if output == string(good) {
				t.Fatal("the change does not fit the sample")
			}
			if got, err := ParseMigration([]byte(output)); err == nil {
				t.Errorf("read as %+v", got)
			}
		})
	}
}

// TestNothingBetweenRowsHidesOne puts what is no row before each line: no conflict may get lost by it.
func TestNothingBetweenRowsHidesOne(t *testing.T) {
	for _, style := range []string{"default", "symfony-style-guide", "compact", "borderless", "box", "box-double"} {
		output, err := os.ReadFile("testdata/" + style + ".plain.plain.txt")
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(output), "\n")
		for i := range lines {
			for _, noise := range []string{"12:00:01 INFO [app] individual moved", "  5/41 [===>--]  13%", "", "4537 999 1 2"} {
				with := strings.Join(slices.Insert(slices.Clone(lines), i, noise), "\n")
				if got, err := ParseMigration([]byte(with)); err == nil && (len(got.Conflicts) != 2 || got.Moved != 41) {
					t.Errorf("%s: %q before %q: %+v", style, noise, lines[i], got)
				}
			}
		}
	}
}

func TestProgressBarIsOverwritten(t *testing.T) {
	lines := Lines([]byte(" 0/41 [>--]\r 41/41 [===]\nnext\r\n\x1b[1G\x1b[2Klast"))
	if want := []string{" 41/41 [===]", "next", "last"}; strings.Join(lines, "|") != strings.Join(want, "|") {
		t.Errorf("%q", lines)
	}
}

// FuzzParseMigration holds that whatever is read has sums that agree.
func FuzzParseMigration(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.txt")
	for _, file := range files {
		output, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(output)
	}
	f.Fuzz(func(t *testing.T, output []byte) {
		m, err := ParseMigration(output)
		if err == nil && (m.Origin.Before-m.Moved != m.Origin.After || m.Moved < 0 || len(m.Conflicts) > 0 && m.Accommodations == nil) {
			t.Errorf("%+v", m)
		}
	})
}

// BenchmarkParse10MB reads the tables behind 10 MB of log lines and progress bars.
func BenchmarkParse10MB(b *testing.B) {
	table, err := os.ReadFile("testdata/box.ansi.wide.txt")
	if err != nil {
		b.Fatal(err)
	}
	noise := strings.Repeat("12:00:01 INFO      [app] individual moved [\"id\" => 1042]\n  5/41 [===>--]  13%\r 10/41 [====>-]  25%\n", 10<<20/100)
	output := append([]byte(noise), table...)
	b.SetBytes(int64(len(output)))
	for b.Loop() {
		if _, err := ParseMigration(output); err != nil {
			b.Fatal(err)
		}
	}
}

// TestAnotherAlertIsNotNoConflict rewords heading and headers both: neither is known, and there is still a conflict.
func TestAnotherAlertIsNotNoConflict(t *testing.T) {
	good, err := os.ReadFile("testdata/default.plain.plain.txt")
	if err != nil {
		t.Fatal(err)
	}
	output := strings.NewReplacer(
		"Problème: Hébergements avec individus non migrés rattachés", "Attention aux hébergements",
		"Individus non migrés         ", "Individus qui restent        ").Replace(string(good))
	if got, err := ParseMigration([]byte(output)); err == nil {
		t.Errorf("read as %+v", got)
	}
}
