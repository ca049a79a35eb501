package runner

import (
	"fmt"
	"slices"

	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

// differs says how a dry run before a step is not what was approved: totals, moved and accommodations
// within the tolerance, and no conflict that the simulation did not show. Empty: it is.
func differs(now proto.StepResult, f plan.Forecast, simulated proto.StepResult, tolerance int64) string {
	switch {
	case far(now.Origin, f.OriginBefore, tolerance):
		return fmt.Sprintf("the origin has %d follow-ups, the forecast says %d", now.Origin, f.OriginBefore)
	case far(now.Destination, f.DestinationBefore, tolerance):
		return fmt.Sprintf("the destination has %d follow-ups, the forecast says %d", now.Destination, f.DestinationBefore)
	case far(now.Moved, f.Moved, tolerance):
		return fmt.Sprintf("%d people would move, the forecast says %d", now.Moved, f.Moved)
	case now.Accommodations != nil && simulated.Accommodations != nil && far(*now.Accommodations, *simulated.Accommodations, tolerance):
		return fmt.Sprintf("%d accommodations would move, the forecast says %d", *now.Accommodations, *simulated.Accommodations)
	}
	return newConflict(now, simulated)
}

// left says how a dry run after a step does not show that all of it was done: nobody is left to
// move, and the totals are the forecast's. Empty: it does.
func left(now proto.StepResult, f plan.Forecast, tolerance int64) string {
	switch {
	case now.Moved != 0:
		return fmt.Sprintf("%d people are left to move", now.Moved)
	case now.Accommodations != nil && *now.Accommodations != 0: // with nobody left to move, no accommodation is
		return fmt.Sprintf("%d accommodations are left to move", *now.Accommodations)
	case far(now.Origin, f.OriginAfter, tolerance):
		return fmt.Sprintf("the origin has %d follow-ups, the forecast says %d", now.Origin, f.OriginAfter)
	case far(now.Destination, f.DestinationAfter, tolerance):
		return fmt.Sprintf("the destination has %d follow-ups, the forecast says %d", now.Destination, f.DestinationAfter)
	}
	return ""
}

// leadsTo says how the rest of a half-done step would not end where the whole step should have. Empty: it would.
func leadsTo(now proto.StepResult, f plan.Forecast, simulated proto.StepResult, tolerance int64) string {
	switch {
	case far(now.Origin-now.Moved, f.OriginAfter, tolerance):
		return fmt.Sprintf("the origin would come to %d follow-ups, the forecast says %d", now.Origin-now.Moved, f.OriginAfter)
	case far(now.Destination+now.Moved, f.DestinationAfter, tolerance):
		return fmt.Sprintf("the destination would come to %d follow-ups, the forecast says %d", now.Destination+now.Moved, f.DestinationAfter)
	}
	return newConflict(now, simulated)
}

// newConflict names an accommodation that somebody would lose and nobody has decided about. Fewer
// conflicts than simulated are none: an earlier step may have moved the others who shared it.
func newConflict(now, simulated proto.StepResult) string {
	for _, c := range now.Conflicts {
		known := slices.ContainsFunc(simulated.Conflicts, func(s proto.Conflict) bool {
			return s.Centre == c.Centre && s.Accommodation == c.Accommodation && within(c.Staying, s.Staying)
		})
		if !known {
			return fmt.Sprintf("accommodation %d is shared by people who stay and people who move, otherwise than in the simulation", c.Accommodation)
		}
	}
	return ""
}

// within says that every one of some is among all.
func within(some, all []int64) bool {
	return !slices.ContainsFunc(some, func(id int64) bool { return !slices.Contains(all, id) })
}

func far(a, b, tolerance int64) bool { return max(a-b, b-a) > tolerance }
