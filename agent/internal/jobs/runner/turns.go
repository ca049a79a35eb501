package runner

import (
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

// turns is what the dry run of each step must show when its turn comes, besides the forecast's totals: the
// conflicts of its simulation and no others, and so many accommodations, nil where nobody can tell.
func turns(p plan.Plan, simulated []proto.SimulatedStep) []proto.StepResult {
	steps := p.Steps()
	all := make([]proto.StepResult, len(simulated))
	for i, s := range simulated {
		all[i] = s.Result
		all[i].Accommodations = accommodationsThen(steps[:i+1], simulated)
	}
	return all
}

// accommodationsThen is how many accommodations the last of the steps will find: those of its dry run, less
// each that an earlier step takes along from the same centre. Such a one is shared by people of both
// steps, and so both dry runs name it as a conflict. It is nil without --withAccommodations, and where an
// earlier step brings or takes people of whom no dry run says where they live.
func accommodationsThen(steps []plan.Located, simulated []proto.SimulatedStep) *int64 {
	last := len(steps) - 1
	step, result := steps[last], simulated[last].Result
	if result.Accommodations == nil {
		return nil
	}
	gone := map[int64]bool{}
	for i, earlier := range steps[:last] {
		if simulated[i].Done {
			continue
		}
		if blurs(earlier.Step, step.Step) {
			return nil
		}
		if earlier.WithAccommodations && earlier.Origin.ID == step.Origin.ID {
			for id := range shared(simulated[i].Result, result) {
				gone[id] = true
			}
		}
	}
	then := *result.Accommodations - int64(len(gone))
	return &then
}

// blurs says that an earlier step changes whom a later one moves, otherwise than by the accommodations that they share.
func blurs(earlier, later plan.Step) bool {
	sameRule := earlier.Field == later.Field && earlier.Value == later.Value
	switch {
	case earlier.Destination.ID == later.Origin.ID:
		return earlier.NoField || later.NoField || sameRule
	case earlier.Origin.ID == later.Origin.ID:
		return earlier.NoField || later.NoField || earlier.WithDeleted != later.WithDeleted
	}
	return false
}

// shared are the accommodations that two dry runs both name as conflicts.
func shared(a, b proto.StepResult) map[int64]bool {
	named := map[int64]bool{}
	for _, c := range a.Conflicts {
		named[c.Accommodation] = true
	}
	both := map[int64]bool{}
	for _, c := range b.Conflicts {
		if named[c.Accommodation] {
			both[c.Accommodation] = true
		}
	}
	return both
}
