package migration

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/re-connect/rpctl/lab"
	"github.com/re-connect/rpctl/lab/labtest"
)

const (
	shared = lab.AppPath + "/shared"
	paused = shared + "/var/migration-paused"
)

// console runs a console command as a person with the application's shell would.
func console(t *testing.T, h *lab.Host, args ...string) string {
	t.Helper()
	out, err := h.RunAs(t.Context(), "app", append([]string{lab.AppPath + "/current/bin/console"}, args...)...)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return out
}

// effects are what the application's own database says that migrations did.
type effects struct {
	Runs []struct {
		Run    string
		DryRun bool `json:"dry_run"`
		Args   []string
	}
	Effects []struct {
		Run, Kind           string
		Subject             int64
		Origin, Destination int64
	}
	Centres []struct {
		ID        int64
		FollowUps int64 `json:"follow_ups"`
	}
	Individuals []struct{ ID, Centre, Accommodation int64 }
}

func effectsOn(t *testing.T, h *lab.Host) effects {
	t.Helper()
	var all effects
	if err := json.Unmarshal([]byte(console(t, h, "app:migration-effects")), &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// real is how many times the command ran not as a dry run.
func (e effects) real() (n int) {
	for _, run := range e.Runs {
		if !run.DryRun {
			n++
		}
	}
	return n
}

func (e effects) followUps() map[int64]int64 {
	all := map[int64]int64{}
	for _, centre := range e.Centres {
		all[centre.ID] = centre.FollowUps
	}
	return all
}

// moved counts those who went from one centre to another. Whoever was moved twice, by a dry run,
// or is not where they were moved to, fails the test.
func (e effects) moved(t *testing.T) map[[2]int64]int {
	t.Helper()
	dry, at := map[string]bool{}, map[int64]int64{}
	for _, run := range e.Runs {
		dry[run.Run] = run.DryRun
	}
	for _, i := range e.Individuals {
		at[i.ID] = i.Centre
	}
	moves, seen := map[[2]int64]int{}, map[int64]bool{}
	for _, effect := range e.Effects {
		if dry[effect.Run] {
			t.Errorf("dry run %s changed data: %+v", effect.Run, effect)
		}
		if effect.Kind != "moved" {
			continue
		}
		if seen[effect.Subject] {
			t.Errorf("individual %d was moved twice", effect.Subject)
		}
		seen[effect.Subject] = true
		if at[effect.Subject] != effect.Destination {
			t.Errorf("individual %d was moved to %d and is in %d", effect.Subject, effect.Destination, at[effect.Subject])
		}
		moves[[2]int64{effect.Origin, effect.Destination}]++
	}
	return moves
}

// pauseAt makes the next real run wait before this row, with two people a flush.
func pauseAt(t *testing.T, h *lab.Host, row int) {
	t.Helper()
	labtest.On(t, h, "rm", "-f", paused)
	labtest.Put(t, h, shared+"/migration.json", fmt.Sprintf(`{"batch":2,"pause_at":%d}`, row))
}

func waitUntilPaused(t *testing.T, h *lab.Host) {
	t.Helper()
	labtest.Eventually(t, 3*time.Minute, func() error {
		if _, err := h.Run(t.Context(), "test", "-e", paused); err != nil {
			return errors.New("the console command does not come to the row where it shall wait")
		}
		return nil
	})
}

// goOn ends the waiting of the command, and of all to come.
func goOn(t *testing.T, h *lab.Host) {
	t.Helper()
	labtest.Put(t, h, shared+"/migration.json", `{"batch":2}`)
}

// consoleUnit is the unit of the one console command that runs, and its process.
func consoleUnit(t *testing.T, h *lab.Host) (unit, pid string) {
	t.Helper()
	fields := strings.Fields(labtest.On(t, h, "systemctl", "list-units", "--plain", "--no-legend", "--state=active", "rp-agent-console@*", "rp-agent-dryrun@*"))
	if len(fields) == 0 {
		t.Fatal("no console command runs")
	}
	return fields[0], labtest.Property(t, h, fields[0], "MainPID")
}
