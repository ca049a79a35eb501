package chaos

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/re-connect/rpctl/lab/app/console"
	"github.com/re-connect/rpctl/proto/plan"
)

// aCase is all that a seed decides.
type aCase struct {
	seed  uint64
	plans []plan.Plan // two where two different ones are started at once
	knobs console.Knobs
	hits  []hit
	habits
}

// hit is a fault and its moment: so many starts of the console after the apply began, and then the delay.
type hit struct {
	fault  fault
	starts int
	delay  time.Duration
	number int // what the fault makes of it: bytes, milliseconds
}

// centres are the runbook's, under the values that lead to them.
var centres = map[string]plan.Centre{
	"CHU 75": {ID: console.CHU75, Name: "France Fraternités - CHU 75"},
	"CPH":    {ID: console.CPH, Name: "France Fraternités - CPH"},
	"CHU 77": {ID: console.CHU77, Name: "France Fraternités - CHU 77"},
	"DAHAR":  {ID: console.DAHAR, Name: "France Fraternités - DAHAR"},
	"TEH":    {ID: console.TEH, Name: "France Fraternités - TEH"},
}

// rules are the runbook's ticket: from where, and the value.
var rules = [][2]string{
	{"CHU 75", "CHU 77"}, {"CHU 75", "CPH"}, {"CHU 75", "DAHAR"}, {"CHU 75", "TEH"},
	{"CPH", "CHU 75"}, {"CPH", "CHU 77"}, {"CPH", "DAHAR"}, {"CPH", "TEH"},
}

// newCase draws a case; its faults are of these kinds.
func newCase(random *rand.Rand, seed uint64, among []fault) aCase {
	c := aCase{seed: seed, knobs: randomKnobs(random)}
	kinds := []fault{among[seed%uint64(len(among))]} // every kind as often as any other
	if random.IntN(3) == 0 {
		kinds = append(kinds, among[random.IntN(len(among))])
	}
	shuffled := random.Perm(len(rules))
	first := 2 + random.IntN(2)
	// Whom a step moves that chooses nobody hangs on the order of two plans, and that is not the case's.
	two := slices.ContainsFunc(kinds, func(f fault) bool { return f.other })
	c.plans = []plan.Plan{randomPlan(random, seed, 0, shuffled[:first], !two)}
	if two {
		c.plans = append(c.plans, randomPlan(random, seed, 1, shuffled[first:first+1+random.IntN(2)], false))
	}
	for _, kind := range kinds {
		c.hits = append(c.hits, hit{
			fault: kind, starts: random.IntN(3 * first), delay: time.Duration(random.IntN(100)) * time.Millisecond, number: 1 + random.IntN(20000),
		})
	}
	c.habits = randomHabits(random)
	// The moments are waited for in their order.
	slices.SortStableFunc(c.hits, func(a, b hit) int { return a.starts - b.starts })
	return c
}

// randomPlan puts each rule into the last group or a new one; a crossing must be in two.
func randomPlan(random *rand.Rand, seed uint64, number int, chosen []int, everybody bool) plan.Plan {
	for {
		p := plan.Plan{Version: plan.Version, Ticket: fmt.Sprintf("https://trello.example/c/chaos-%d-%d", seed, number), Centre: "France Fraternités"}
		for _, i := range chosen {
			step := plan.Step{Origin: centres[rules[i][0]], Destination: centres[rules[i][1]], Field: console.Slug, Value: rules[i][1]}
			if random.IntN(10) == 0 && everybody {
				step.Field, step.Value, step.NoField = "", "", true
			}
			step.WithDeleted = random.IntN(5) == 0
			if step.WithAccommodations = random.IntN(4) == 0; step.WithAccommodations {
				step.Decisions = []plan.Decision{{Accommodation: console.Shared, Accepted: true, By: "Claire", Why: "they have another place"}}
			}
			if last := len(p.Groups) - 1; last >= 0 && random.IntN(2) == 0 {
				p.Groups[last].Steps = append(p.Groups[last].Steps, step)
			} else {
				p.Groups = append(p.Groups, plan.Group{Steps: []plan.Step{step}})
			}
		}
		if !plan.Refused(plan.Check(p)) {
			return p
		}
	}
}

func randomKnobs(random *rand.Rand) console.Knobs {
	k := console.Knobs{
		Batch: 1 + random.IntN(7), DelayMS: 1 + 5*random.Float64(), DryRunMS: float64(random.IntN(30)), Noise: random.IntN(3) == 0,
	}
	if random.IntN(4) == 0 {
		k.FailAt = 1 + random.IntN(40)
	}
	if random.IntN(6) == 0 {
		k.ExitAt = 1 + random.IntN(40)
	}
	if random.IntN(3) == 0 {
		k.Volume = random.IntN(200_000)
	}
	return k
}
