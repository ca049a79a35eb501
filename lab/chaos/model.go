package chaos

import (
	"slices"

	"github.com/re-connect/rpctl/lab/app/console"
	"github.com/re-connect/rpctl/proto/plan"
)

// model is the application's data as the runbook says that they are after a plan. It shares no
// code with the console: it is what the console's data are held to.
type model struct {
	seed console.Seed
	// moves are who moves in each step, by the step's arguments.
	moves map[string][]int64
}

func newModel(plans []plan.Plan) model {
	m := model{seed: console.Runbook(), moves: map[string][]int64{}}
	for _, p := range plans {
		for _, step := range p.Steps() {
			m.apply(step.Step)
		}
	}
	return m
}

// apply moves everybody whom the step's value chooses. What is deleted is not there, unless the step says so.
func (m model) apply(step plan.Step) {
	var moving []int64
	for _, person := range m.seed.Individuals {
		if person.Centre == step.Origin.ID && (step.WithDeleted || !person.Deleted) && (step.NoField || m.value(person.Household, step) == step.Value) {
			moving = append(moving, person.ID)
		}
	}
	m.moves[key(step)] = moving
	taken := map[int64]bool{}
	for i := range m.seed.Individuals {
		person := &m.seed.Individuals[i]
		if !slices.Contains(moving, person.ID) {
			continue
		}
		if step.WithAccommodations {
			taken[person.Accommodation] = true
		} else {
			person.Accommodation = 0
		}
	}
	for i := range m.seed.Accommodations {
		a := &m.seed.Accommodations[i]
		taken[a.ID] = taken[a.ID] && a.Centre == step.Origin.ID
		if taken[a.ID] {
			a.Centre = step.Destination.ID
		}
	}
	for i := range m.seed.Individuals {
		person := &m.seed.Individuals[i]
		switch {
		case slices.Contains(moving, person.ID):
			person.Centre = step.Destination.ID
		case taken[person.Accommodation] && person.Centre == step.Origin.ID && (step.WithDeleted || !person.Deleted):
			person.Accommodation = 0 // those who stay lose it
		}
	}
}

// value is a household's: the principal member's, else the first other's that has one.
func (m model) value(household int64, step plan.Step) string {
	other := ""
	for _, person := range m.seed.Individuals {
		value := person.Values[step.Field]
		if person.Household != household || value == "" || person.Deleted && !step.WithDeleted {
			continue
		}
		if person.Principal {
			return value
		}
		if other == "" {
			other = value
		}
	}
	return other
}

// key is what the console's own log knows a step by.
func key(step plan.Step) string { return join(step.Args(false)) }
