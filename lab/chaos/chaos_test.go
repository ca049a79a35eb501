package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/re-connect/rpctl/lab/app/console"
	"github.com/re-connect/rpctl/lab/inprocess"
	"github.com/re-connect/rpctl/lab/labtest"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

func TestMain(m *testing.M) {
	inprocess.RunApp()
	os.Exit(m.Run())
}

// TestSeedsAreReproducible: a seed is a case, and every fault has its turn.
func TestSeedsAreReproducible(t *testing.T) {
	had, habits := map[string]bool{}, map[string]bool{"no field": false}
	for seed := range uint64(60) {
		one, two := newCase(rand.New(rand.NewPCG(seed, 4)), seed, faults), newCase(rand.New(rand.NewPCG(seed, 4)), seed, faults)
		if fmt.Sprint(one.names(), one.plans, one.knobs) != fmt.Sprint(two.names(), two.plans, two.knobs) {
			t.Errorf("seed %d is two cases", seed)
		}
		for i, p := range one.plans {
			if findings := plan.Check(p); plan.Refused(findings) {
				t.Errorf("seed %d, plan %d: %v", seed, i, findings)
			}
		}
		for _, h := range one.hits {
			had[h.fault.name] = true
		}
		habits["glass"], habits["done"], habits["behind"] = habits["glass"] || one.glass, habits["done"] || one.done, habits["behind"] || one.behind
		for _, step := range one.plans[0].Steps() {
			habits["no field"] = habits["no field"] || step.NoField
		}
	}
	if len(had) != len(faults) {
		t.Errorf("%d of %d faults in 60 seeds", len(had), len(faults))
	}
	for habit, seen := range habits {
		if !seen {
			t.Errorf("nobody has the habit %q in 60 seeds", habit)
		}
	}
}

// TestModel holds the model to the runbook's figures.
func TestModel(t *testing.T) {
	step := func(from, to string) plan.Step {
		return plan.Step{Origin: centres[from], Destination: centres[to], Field: console.Slug, Value: to}
	}
	for _, c := range []struct {
		from, to string
		want     int
	}{{"CHU 75", "CHU 77", 41}, {"CHU 75", "CPH", 10}, {"CPH", "CHU 75", 21}} {
		one := step(c.from, c.to)
		m := newModel([]plan.Plan{{Groups: []plan.Group{{Steps: []plan.Step{one}}}}})
		if got := len(m.moves[key(one)]); got != c.want {
			t.Errorf("%s to %s: %d move, want %d", c.from, c.to, got, c.want)
		}
	}
}

// TestStepOracle: what must not be is seen.
func TestStepOracle(t *testing.T) {
	left := int64(1)
	for _, c := range []struct {
		name      string
		runs      int
		moved     []int64
		state     proto.StepState
		remaining *int64
		reruns    int
		want      string
	}{
		{name: "as it should be", runs: 1, moved: []int64{1, 2}, state: proto.StepVerified},
		{name: "asked for", runs: 2, moved: []int64{1, 2}, state: proto.StepVerified, reruns: 1},
		{name: "half done, and said so", runs: 1, moved: []int64{1}, state: proto.StepFailed, remaining: &left},
		{name: "twice", runs: 2, moved: []int64{1, 2}, state: proto.StepVerified, want: "ran 2 times"},
		{name: "moved twice", runs: 2, moved: []int64{1, 1, 2}, state: proto.StepVerified, reruns: 1, want: "moved 2 people 3 times"},
		{name: "verified too early", runs: 1, moved: []int64{1}, state: proto.StepVerified, want: "1 of 2 people"},
		{name: "nobody knows", runs: 1, moved: []int64{1}, state: proto.StepSimulated, want: "is simulated, and it ran 1 times"},
		{name: "more than was said", runs: 1, moved: []int64{1, 2}, state: proto.StepInterrupted, remaining: &left, want: "with 1 left"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &run{stage: &stage{}, model: model{moves: map[string][]int64{"-o": {2, 1}}}}
			var told console.Effects
			for i := range c.runs {
				told.Runs = append(told.Runs, console.Run{Run: fmt.Sprint(i), Args: []string{"-o"}})
			}
			for _, person := range c.moved {
				told.Effects = append(told.Effects, console.Effect{Run: "0", Kind: "moved", Subject: person})
			}
			r.step(told, "step 1.1", "-o", c.state, c.remaining, c.reruns)
			switch {
			case c.want == "" && len(r.violations) > 0:
				t.Error(r.violations)
			case c.want != "" && !strings.Contains(strings.Join(r.violations, "\n"), c.want):
				t.Errorf("%q does not say %q", r.violations, c.want)
			}
		})
	}
}

func TestTable(t *testing.T) {
	results := []Result{{Seed: 1, Faults: []string{faults[0].name}}, {Seed: 2, Faults: []string{faults[0].name, faults[1].name}, Violations: []string{"v"}}, {Seed: 3}}
	var out strings.Builder
	if (Options{}).Table(&out, results, time.Second) {
		t.Error("a violation is no clean table")
	}
	for _, line := range []string{"| rpctl killed | 2 | 1 | 2 |", "| Ctrl-C once | 1 | 1 | 2 |", "| **all** | 3 | 1 | 2 |", "3 runs in 1s"} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("no %q in\n%s", line, out.String())
		}
	}
	if !(Options{}).Table(&out, results[:1], time.Second) {
		t.Error("one good run is a clean table")
	}
}

// TestCampaign is a few runs with the real rpctl: none may be wrong.
func TestCampaign(t *testing.T) {
	rpctl := filepath.Join(labtest.Build(t, labtest.Rpctl), "rpctl")
	results, err := Campaign(context.Background(), Options{Rpctl: rpctl, Dir: t.TempDir(), Runs: 3, Parallel: 1})
	if err != nil || len(results) != 3 {
		t.Fatal(len(results), err)
	}
	if slices.ContainsFunc(results, violated) {
		t.Errorf("%+v", results)
	}
}
