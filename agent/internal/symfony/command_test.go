package symfony

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The lab's real console, PHP with Debian's Symfony, prints testdata/command/*.txt:
// UPDATE=1 go test ./agent/internal/symfony, where it can run.
// Inside a host of the lab it is the application that is deployed there.
func console() string {
	if os.Getenv("RPCTL_LAB_HOST") != "" {
		return "/home/app/www/current"
	}
	return "../../../lab/symfony"
}

// commandCases are ways of printing (shared/migration.json) and what the runbook's step must be read as.
var commandCases = map[string]struct {
	knobs map[string]any
	run   []string
	total *int64
}{
	"dry":       {nil, []string{"--withAccommodations", "--dry-run"}, new(int64(3))},
	"people":    {nil, []string{"--dry-run"}, nil},
	"real":      {nil, nil, nil},
	"real-both": {map[string]any{"decorated": true}, []string{"--withAccommodations"}, new(int64(3))},
	"noisy": {map[string]any{"decorated": true, "noise": true, "invalid_utf8": true, "endless": 950, "volume": 2000},
		[]string{"--withAccommodations", "--dry-run"}, new(int64(3))},
	"narrow": {map[string]any{"wrap": 12, "noise": true}, []string{"--withAccommodations", "--dry-run"}, new(int64(3))},
}

var styles = []string{"default", "symfony-style-guide", "compact", "borderless", "box", "box-double"}

func TestTheCommandInEveryStyle(t *testing.T) {
	update := os.Getenv("UPDATE") != ""
	if update {
		needConsole(t)
	}
	for name, c := range commandCases {
		for _, style := range styles {
			t.Run(style+"."+name, func(t *testing.T) {
				file := filepath.Join("testdata/command", style+"."+name+".txt")
				if update {
					if err := os.WriteFile(file, runConsole(t, turned(c.knobs, style), c.run), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				output, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				checkCommand(t, output, c.total)
			})
		}
	}
}

// TestTheConsoleOfThisMachine reads what the console prints here and now, not what it once
// printed: each case, and the worst one in each style.
func TestTheConsoleOfThisMachine(t *testing.T) {
	needConsole(t)
	for name, c := range commandCases {
		for _, style := range styles {
			if style != "default" && name != "noisy" {
				continue
			}
			t.Run(style+"."+name, func(t *testing.T) {
				t.Parallel()
				checkCommand(t, runConsole(t, turned(c.knobs, style), c.run), c.total)
			})
		}
	}
}

// turned adds a style to a case's knobs.
func turned(knobs map[string]any, style string) map[string]any {
	all := map[string]any{"style": style}
	maps.Copy(all, knobs)
	return all
}

// checkCommand holds the figures of the runbook: 160 follow-ups, 41 of whom move, and its shared accommodation.
func checkCommand(t *testing.T, output []byte, total *int64) {
	t.Helper()
	got, err := ParseMigration(output)
	if err != nil {
		t.Fatal(err)
	}
	if got.Origin.Before != 160 || got.Moved != 41 || got.Destination.After != 41 || !got.Origin.Name.Is("France Fraternités - CHU 75") {
		t.Errorf("%+v", got)
	}
	if total == nil {
		if got.Accommodations != nil || got.Conflicts != nil {
			t.Errorf("accommodations were not asked for: %+v", got)
		}
		return
	}
	want := Conflict{Centre: 4537, Accommodation: 892, Staying: []int64{1042, 1078}, Moving: []int64{1035}}
	if got.Accommodations == nil || *got.Accommodations != *total || len(got.Conflicts) != 1 || !sameConflict(got.Conflicts[0], want) {
		t.Errorf("%+v", got)
	}
}

func sameConflict(a, b Conflict) bool {
	left, _ := json.Marshal(a)
	right, _ := json.Marshal(b)
	return string(left) == string(right)
}

// needConsole skips the test where the real console cannot run; inside a host of the lab it can.
func needConsole(t *testing.T) {
	t.Helper()
	probe := `new PDO("sqlite::memory:"); require "/usr/share/php/Symfony/Component/Messenger/autoload.php";`
	out, err := exec.CommandContext(t.Context(), "php", "-r", probe).CombinedOutput()
	if err != nil && os.Getenv("RPCTL_LAB_HOST") == "" {
		t.Skipf("no PHP with SQLite and Debian's Symfony packages here (`make lab-prepare` installs them): %v: %.200s", err, out)
	}
}

// runConsole seeds a fresh application and returns what one migration prints on standard output.
func runConsole(t *testing.T, knobs map[string]any, args []string) []byte {
	t.Helper()
	www := t.TempDir()
	release := filepath.Join(www, "releases/1")
	for _, folder := range []string{"bin", "src"} {
		if err := os.CopyFS(filepath.Join(release, folder), os.DirFS(filepath.Join(console(), folder))); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(www, "shared/var"), 0o755); err != nil {
		t.Fatal(err)
	}
	turned, err := json.Marshal(knobs)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(www, "shared/migration.json"), turned, 0o644); err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(release, "bin/console")
	php(t, script, "app:seed-migration", filepath.Join(console(), "seed.json"))
	argv := []string{script, "app:migrate-individuals-to-other-organization", "-o", "4537", "-d", "5644",
		"-f", "migration-des-donnees", "-t", "CHU 77"}
	return php(t, append(argv, args...)...)
}

func php(t *testing.T, argv ...string) []byte {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "php", argv...).Output()
	if err != nil {
		t.Fatalf("php %q: %v: %s", argv, err, out)
	}
	return out
}
