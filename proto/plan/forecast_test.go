package plan

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestForecastOfTheRunbooksGroups(t *testing.T) {
	p := of([]Step{rule(chu75, chu77, "CHU 77"), rule(chu75, cph, "CPH")}, []Step{rule(cph, chu75, "CHU 75")})
	got, err := Forecasts(p, []Figures{{160, 0, 41}, {160, 180, 10}, {180, 160, 21}}, NoneDone)
	want := []Forecast{
		{"1.1", 160, 119, 0, 41, 41},
		{"1.2", 119, 109, 180, 190, 10},
		{"2.1", 190, 169, 109, 130, 21},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestForecastRefusesDryRunsThatDoNotAgree(t *testing.T) {
	p := of([]Step{rule(chu75, chu77, "a"), rule(chu75, cph, "b")})
	if got, err := Forecasts(p, []Figures{{160, 0, 41}, {159, 180, 10}}, NoneDone); err == nil {
		t.Errorf("%+v", got)
	}
}

// person is one individual of the model application: where they are, what their field says, and
// whether they are deleted, which a total counts and a step only where it says so.
type person struct {
	centre  int64
	value   string
	deleted bool
}

// run is what the console does: it moves those who match, and tells the figures before.
func run(world []person, s Step, dry bool) Figures {
	f := Figures{}
	for i, p := range world {
		switch p.centre {
		case s.Origin.ID:
			f.Origin++
			if (s.NoField || p.value == s.Value) && (s.WithDeleted || !p.deleted) {
				f.Moved++
				if !dry {
					world[i].centre = s.Destination.ID
				}
			}
		case s.Destination.ID:
			f.Destination++
		}
	}
	return f
}

// TestForecastIsWhatTheConsoleDoes tries random plans on random people: whatever
// plan passes the check, its forecast is what happens.
func TestForecastIsWhatTheConsoleDoes(t *testing.T) {
	accepted := 0
	for seed := range uint64(20_000) {
		random := rand.New(rand.NewPCG(seed, 1))
		p, world := randomPlan(random), randomWorld(random)
		if Refused(Check(p)) {
			continue
		}
		accepted++
		var simulated []Figures
		for _, step := range p.Steps() {
			simulated = append(simulated, run(world, step.Step, true))
		}
		forecasts, err := Forecasts(p, simulated, NoneDone)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		for i, step := range p.Steps() {
			f := run(world, step.Step, false)
			want := Forecast{step.ID, f.Origin, f.Origin - f.Moved, f.Destination, f.Destination + f.Moved, f.Moved}
			if forecasts[i] != want {
				t.Fatalf("seed %d, step %s: forecast %+v, the console did %+v", seed, step.ID, forecasts[i], want)
			}
		}
	}
	if accepted < 1000 {
		t.Errorf("only %d plans passed the check", accepted)
	}
}

func randomPlan(random *rand.Rand) Plan {
	var groups [][]Step
	for range 1 + random.IntN(3) {
		var steps []Step
		for range 1 + random.IntN(3) {
			from, to := randomCentre(random), randomCentre(random)
			step := rule(from, to, string(rune('a'+random.IntN(3))))
			if random.IntN(6) == 0 {
				step = everybody(from, to)
			}
			step.WithDeleted = random.IntN(4) == 0
			steps = append(steps, step)
		}
		groups = append(groups, steps)
	}
	return of(groups...)
}

func randomCentre(random *rand.Rand) Centre {
	id := int64(1 + random.IntN(5))
	return Centre{ID: id, Name: "centre " + string(rune('A'+id))}
}

func randomWorld(random *rand.Rand) []person {
	world := make([]person, random.IntN(60))
	for i := range world {
		world[i] = person{int64(1 + random.IntN(5)), string(rune('a' + random.IntN(3))), random.IntN(5) == 0}
	}
	return world
}

// TestCrossingDetectionIsExact compares with the definition, word for word, on random groups.
func TestCrossingDetectionIsExact(t *testing.T) {
	for seed := range uint64(5_000) {
		random := rand.New(rand.NewPCG(seed, 2))
		p := randomPlan(random)
		want := 0
		for _, group := range p.Groups {
			for i, later := range group.Steps {
				if later.Origin.ID != later.Destination.ID && slices.ContainsFunc(group.Steps[:i], func(s Step) bool {
					return s.Origin.ID == later.Destination.ID && s.Destination.ID == later.Origin.ID
				}) {
					want++
				}
			}
		}
		c := &checker{}
		c.crossings(p)
		if len(c.found) != want {
			t.Fatalf("seed %d: %d crossings found, there are %d", seed, len(c.found), want)
		}
	}
}

// TestRestIsWhatTheConsoleDoes stops random plans after some step, lets people come, and simulates what is left.
func TestRestIsWhatTheConsoleDoes(t *testing.T) {
	for seed := range uint64(5_000) {
		random := rand.New(rand.NewPCG(seed, 4))
		p, world := randomPlan(random), randomWorld(random)
		if Refused(Check(p)) {
			continue
		}
		steps := p.Steps()
		begun := random.IntN(len(steps) + 1)
		for _, step := range steps[:begun] {
			run(world, step.Step, false)
		}
		world = append(world, randomWorld(random)...)
		simulated := make([]Figures, len(steps))
		done := map[StepID]bool{}
		for i, step := range steps {
			if done[step.ID] = i < begun; !done[step.ID] {
				simulated[i] = run(world, step.Step, true)
			}
		}
		forecasts, err := Forecasts(p, simulated, func(id StepID) bool { return done[id] })
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		for i, step := range steps {
			want := Forecast{}
			if !done[step.ID] {
				f := run(world, step.Step, false)
				want = Forecast{step.ID, f.Origin, f.Origin - f.Moved, f.Destination, f.Destination + f.Moved, f.Moved}
			}
			if forecasts[i] != want {
				t.Fatalf("seed %d, step %s: forecast %+v, the console did %+v", seed, step.ID, forecasts[i], want)
			}
		}
	}
}
