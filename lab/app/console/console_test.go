package console

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/re-connect/rpctl/lab/filewatch"
)

// each runs a test with the stand-in, and with PHP where there is one.
func each(t *testing.T, f func(t *testing.T, php string)) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Run("stand-in", func(t *testing.T) { f(t, self) })
	t.Run("PHP", func(t *testing.T) {
		needPHP(t)
		f(t, "php")
	})
}

// figures are what a dry run says of the origin: follow-ups, and how many of them move.
func (d deployed) figures(t *testing.T, argv ...string) string {
	t.Helper()
	for line := range strings.Lines(d.run(t, append(argv, "--dry-run")...).stdout) {
		if cells := strings.Split(line, "|"); len(cells) > 5 && strings.TrimSpace(cells[1]) == "Origine" {
			return strings.TrimSpace(cells[4]) + " -> " + strings.TrimSpace(cells[5])
		}
	}
	return "no table"
}

// TestFiguresOfTheRunbook holds the seed to the runbook's Slack message and to its conflict.
func TestFiguresOfTheRunbook(t *testing.T) {
	each(t, func(t *testing.T, php string) {
		d := deploy(t, php, nil)
		for _, c := range []struct {
			origin, destination, value, want string
		}{
			{"4537", "5644", "CHU 77", "160 -> 119 (- 41 migrés)"},
			{"4537", "4960", "CPH", "160 -> 150 (- 10 migrés)"},
			{"4537", "5634", "DAHAR", "160 -> 141 (- 19 migrés)"},
			{"4537", "5645", "TEH", "160 -> 153 (- 7 migrés)"},
			{"4960", "4537", "CHU 75", "180 -> 159 (- 21 migrés)"},
			{"4960", "5644", "CHU 77", "180 -> 143 (- 37 migrés)"},
			{"4960", "5634", "DAHAR", "180 -> 145 (- 35 migrés)"},
			{"4960", "5645", "TEH", "180 -> 163 (- 17 migrés)"},
		} {
			if got := d.figures(t, CommandMigrate, "-o", c.origin, "-d", c.destination, "-f", Slug, "-t", c.value); got != c.want {
				t.Errorf("%s -> %s: %s, want %s", c.origin, c.destination, got, c.want)
			}
		}
		told := d.effects(t)
		if len(told.Effects) > 0 || len(told.Runs) != 8 || len(told.Real()) > 0 {
			t.Errorf("dry runs: %d effects, runs %v", len(told.Effects), told.Runs)
		}
	})
}

// TestAccommodations follows the people of the runbook's shared accommodation.
func TestAccommodations(t *testing.T) {
	const moves, stays, alone = 1035, 1042, 1150 // the last one lives in 895, of which nobody moves
	for name, c := range map[string]struct {
		option string
		moves  int64 // spot afterwards; 0 for none
		stays  int64
		of     int64 // centre of the accommodation
	}{
		"with":    {"--withAccommodations", Shared, 0, CHU77},
		"without": {"--quiet", 0, Shared, CHU75},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, php string) {
				d := deploy(t, php, nil)
				d.run(t, ticket(c.option)...)
				told := d.effects(t)
				spots := map[int64]int64{}
				for _, person := range told.Individuals {
					if person.Accommodation != nil {
						spots[person.ID] = *person.Accommodation
					}
				}
				if spots[moves] != c.moves || spots[stays] != c.stays || spots[alone] != 895 {
					t.Errorf("spots: %v", spots)
				}
				if i := slices.IndexFunc(told.Accommodations, func(a Accommodation) bool { return a.ID == Shared }); told.Accommodations[i].Centre != c.of {
					t.Errorf("the accommodation belongs to %d", told.Accommodations[i].Centre)
				}
			})
		})
	}
}

// TestWhatWasFlushedStays kills a run in the middle and lets another one finish: everybody is
// moved once, the rest of a household too.
func TestWhatWasFlushedStays(t *testing.T) {
	each(t, func(t *testing.T, php string) {
		d := deploy(t, php, map[string]any{"pause_at": 13})
		argv := append([]string{filepath.Join(d.www, "releases/1/bin/console")}, ticket()...)
		command := exec.CommandContext(t.Context(), d.php, argv...)
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		awaitFile(t, filepath.Join(d.www, "shared/var/migration-paused"))
		if err := command.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = command.Wait() // it was killed
		if moves := d.effects(t).Moves(); len(moves) != 10 {
			t.Fatalf("%d people were flushed in batches of 5 before row 13", len(moves))
		}
		if got := d.figures(t, ticket()...); got != "150 -> 119 (- 31 migrés)" {
			t.Errorf("what remains: %s", got)
		}
		d.turn(t, map[string]any{})
		d.run(t, ticket()...)
		moves := d.effects(t).Moves()
		if times := slices.Sorted(maps.Values(moves)); len(times) != 41 || times[40] != 1 {
			t.Errorf("moves: %v", moves)
		}
	})
}

func awaitFile(t *testing.T, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	err := filewatch.Wait(ctx, filepath.Dir(name), func() bool {
		_, err := os.Stat(name)
		return err == nil
	})
	if err != nil {
		t.Fatalf("%s does not appear: %v", name, err)
	}
}

// TestValuesReachPHPAsOneArgument holds that a value tied to its option is compared with the
// field and never read: exactly the person who has this very value is moved.
func TestValuesReachPHPAsOneArgument(t *testing.T) {
	values := []string{"--noField", "-o4960", "--", "; rm -rf /", "a\nb", "=x", "--dry-run", "--help", "--version", "-V", "$(id)", "`id`", "'\"", "é東京"}
	each(t, func(t *testing.T, php string) {
		d := deploy(t, php, nil)
		alone := peopleAlone(len(values))
		for i, value := range values {
			person := alone[i]
			if got := d.run(t, CommandSetField, id(person), Slug, value); got.status != 0 {
				t.Fatalf("%+v", got)
			}
			if got := d.run(t, tied(value)...); got.status != 0 {
				t.Errorf("%q: %+v", value, got)
			}
			told := d.effects(t)
			if moves := told.Moves(); len(moves) != i+1 || moves[person] != 1 {
				t.Fatalf("%q moved %v", value, moves)
			}
			args := told.Runs[len(told.Runs)-1].Args
			if args[len(args)-1] != strings.ToValidUTF8("--targetFieldValue="+value, "\uFFFD") || len(args) != 4 {
				t.Errorf("PHP got %q", args)
			}
		}
		// What the kernel refuses cannot arrive: there is no NUL in an argument.
		if err := exec.CommandContext(t.Context(), d.php, tied("a\x00b")...).Run(); err == nil || !strings.Contains(err.Error(), "invalid argument") {
			t.Errorf("NUL: %v", err)
		}
	})
}

// peopleAlone are people of the first centre who have no value, and a household of their own.
func peopleAlone(n int) []int64 {
	seed := Runbook()
	members := map[int64]int{}
	for _, person := range seed.Individuals {
		members[person.Household]++
	}
	var alone []int64
	for _, person := range seed.Individuals {
		if person.Centre == CHU75 && person.Values == nil && members[person.Household] == 1 {
			alone = append(alone, person.ID)
		}
	}
	return alone[:n]
}

// FuzzTiedValues holds for any value what TestValuesReachPHPAsOneArgument holds for some.
func FuzzTiedValues(f *testing.F) {
	for _, value := range []string{"CHU 77", "--noField", "-t", "--", "=", "\n", "é", "\xff"} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		in, err := parse(tied(value)[1:])
		if err != nil || in["targetFieldValue"] != value || len(in) != 4 {
			t.Errorf("%q is read as %q, %v", value, in, err)
		}
	})
}

// FuzzParse holds that no arguments are a panic.
func FuzzParse(f *testing.F) {
	for _, argv := range misread {
		f.Add(strings.Join(argv[1:], "\x00"))
	}
	f.Fuzz(func(t *testing.T, tokens string) {
		in, err := parse(strings.Split(tokens, "\x00"))
		if (in == nil) != (err != nil) {
			t.Errorf("%q: %q and %v", tokens, in, err)
		}
	})
}
