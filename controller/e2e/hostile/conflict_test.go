package hostile_test

import (
	"testing"

	"github.com/re-connect/rpctl/lab/app/console"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

// sharing is a plan that takes an accommodation from people who stay, with what was decided on it.
func sharing(ticket string, decisions ...plan.Decision) plan.Plan {
	p := smallPlan()
	p.Ticket = ticket
	p.Groups[0].Steps[0] = plan.Step{
		Origin:      plan.Centre{ID: console.CHU75, Name: "France Fraternités - CHU 75"},
		Destination: plan.Centre{ID: console.CHU77, Name: "France Fraternités - CHU 77"},
		Field:       console.Slug, Value: "CHU 77", WithAccommodations: true, Decisions: decisions,
	}
	return p
}

// TestNoConflictPasses: a host takes an approver's yes to figures with a conflict, and still does not run them as long
// as the plan does not say who decided on that very accommodation, and that it moves.
func TestNoConflictPasses(t *testing.T) {
	l := newLiar(t)
	if _, err := l.lab.RunConsole(t.Context(), "preprod", console.CommandSeed); err != nil { // the shared one is where it was
		t.Fatal(err)
	}
	before := l.effects(t, "preprod")
	decided := func(accommodation int64, accepted bool) plan.Decision {
		return plan.Decision{Accommodation: accommodation, Accepted: accepted, By: "eve", Why: "I say so"}
	}
	for name, c := range map[string]struct {
		decisions []plan.Decision
		words     string
	}{
		"nobody has decided": {nil, "nobody has decided"},
		"of another":         {[]plan.Decision{decided(console.Shared+1, true)}, "nobody has decided"},
		"decided against":    {[]plan.Decision{decided(console.Shared, false)}, "it was decided not to move accommodation 892"},
	} {
		t.Run(name, func(t *testing.T) {
			p := sharing("https://trello.com/c/"+name, c.decisions...)
			l.approve(t, preprod, l.simulated(t, preprod, p))
			start := proto.JobStartArgs{ID: l.newID(), Kind: proto.KindApply, Plan: p}
			refusedWith(t, l.ask(preprod, proto.OpJobStart, start, nil), proto.CodeGate, "gate 2 (conflicts) is closed")
			refusedWith(t, l.ask(preprod, proto.OpJobStart, start, nil), proto.CodeGate, c.words)
			// A decision that is written into the plan afterwards makes it another plan.
			start.Plan.Groups[0].Steps[0].Decisions = []plan.Decision{decided(console.Shared, true)}
			refusedWith(t, l.ask(preprod, proto.OpJobStart, start, nil), proto.CodeGate, "gate 1 (simulation) is closed: this plan was not simulated")
		})
	}
	if after := l.effects(t, "preprod"); len(after.Effects) != len(before.Effects) || len(after.Real()) != len(before.Real()) {
		t.Errorf("the application was changed: %+v", after.Real()[len(before.Real()):])
	}
}
