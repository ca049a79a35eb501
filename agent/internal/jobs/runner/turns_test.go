package runner

import (
	"testing"

	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

// TestAccommodationsThen is what a step finds after others: one that both share went with the first.
func TestAccommodationsThen(t *testing.T) {
	a, b, c := plan.Centre{ID: 1, Name: "A"}, plan.Centre{ID: 2, Name: "B"}, plan.Centre{ID: 3, Name: "C"}
	step := func(from, to plan.Centre, value string) plan.Step {
		return plan.Step{Origin: from, Destination: to, Field: "f", Value: value, WithAccommodations: true}
	}
	const unknown = -1
	for name, c := range map[string]struct {
		earlier, later plan.Step
		change         func(earlier, later *proto.SimulatedStep)
		want           int64
	}{
		"one is shared":                {step(a, b, "x"), step(a, c, "y"), nil, 4},
		"the earlier takes none along": {func() plan.Step { s := step(a, b, "x"); s.WithAccommodations = false; return s }(), step(a, c, "y"), nil, 5},
		"the earlier is done":          {step(a, b, "x"), step(a, c, "y"), func(e, _ *proto.SimulatedStep) { e.Done = true }, 5},
		"none is shared":               {step(a, b, "x"), step(a, c, "y"), func(e, _ *proto.SimulatedStep) { e.Result.Conflicts = nil }, 5},
		"another centre":               {step(b, a, "x"), step(a, c, "y"), nil, 5},
		"without accommodations":       {step(a, b, "x"), step(a, c, "y"), func(_, l *proto.SimulatedStep) { l.Result.Accommodations = nil }, unknown},
		"people are moved on":          {step(b, a, "y"), step(a, c, "y"), nil, unknown},
		"everybody has gone":           {plan.Step{Origin: a, Destination: b, NoField: true}, step(a, c, "y"), nil, unknown},
		"other people are seen":        {func() plan.Step { s := step(a, b, "x"); s.WithDeleted = true; return s }(), step(a, c, "y"), nil, unknown},
	} {
		five, conflicts := int64(5), []proto.Conflict{{Centre: 1, Accommodation: 892, Staying: []int64{1}, Moving: []int64{2}}}
		simulated := []proto.SimulatedStep{
			{Step: "1.1", Result: proto.StepResult{Accommodations: &five, Conflicts: conflicts}},
			{Step: "1.2", Result: proto.StepResult{Accommodations: &five, Conflicts: conflicts}},
		}
		if c.change != nil {
			c.change(&simulated[0], &simulated[1])
		}
		p := plan.Plan{Groups: []plan.Group{{Steps: []plan.Step{c.earlier, c.later}}}}
		got := turns(p, simulated)[1].Accommodations
		if (got == nil) != (c.want == unknown) || got != nil && *got != c.want {
			t.Errorf("%s: %v, want %d", name, got, c.want)
		}
	}
}
