package chaos

import (
	"context"
	"slices"

	"github.com/re-connect/rpctl/lab/app/console"
	"github.com/re-connect/rpctl/proto"
)

// step holds the state of one step to the effects of its runs.
func (r *run) step(told console.Effects, name, key string, state proto.StepState, remaining *int64, reruns int) {
	runs := map[string]bool{}
	for _, run := range told.Real() {
		if join(run.Args) == key {
			runs[run.Run] = true
		}
	}
	var moved []int64
	for _, effect := range told.Effects {
		if runs[effect.Run] && effect.Kind == "moved" {
			moved = append(moved, effect.Subject)
		}
	}
	slices.Sort(moved)
	people := slices.Compact(slices.Clone(moved))
	want := r.model.moves[key]
	if len(moved) != len(people) {
		r.violation("%s moved %d people %d times", name, len(people), len(moved))
	}
	if len(runs) > 1+reruns {
		r.violation("%s ran %d times, the operator's word was given %d times", name, len(runs), reruns)
	}
	switch {
	case state == proto.StepVerified && !slices.Equal(people, slices.Sorted(slices.Values(want))):
		r.violation("%s is verified, and %d of %d people were moved", name, len(people), len(want))
	case state == proto.StepVerified:
	case waits(state) && remaining != nil && len(people)+int(*remaining) != len(want):
		r.violation("%s is %s with %d left, and %d of %d people were moved", name, state, *remaining, len(people), len(want))
	case !waits(state) && len(runs) > 0:
		r.violation("%s is %s, and it ran %d times and moved %d people", name, state, len(runs), len(people))
	}
}

// data holds every person and every accommodation to the model.
func (r *run) data(ctx context.Context) {
	told, err := r.stage.effects(ctx)
	if err != nil {
		r.violation("the application's data cannot be read: %v", err)
		return
	}
	wrong := 0
	for i, person := range told.Individuals {
		want, home := r.model.seed.Individuals[i], int64(0)
		if person.Accommodation != nil {
			home = *person.Accommodation
		}
		if person.ID != want.ID || person.Centre != want.Centre || home != want.Accommodation {
			if wrong++; wrong <= 3 {
				r.violation("person %d is in %d (accommodation %d), want %d (%d)", person.ID, person.Centre, home, want.Centre, want.Accommodation)
			}
		}
	}
	if wrong > 3 {
		r.violation("… and %d more", wrong-3)
	}
	r.apart(told.Effects)
	if !slices.Equal(told.Accommodations, r.model.seed.Accommodations) {
		r.violation("accommodations are %v, want %v", told.Accommodations, r.model.seed.Accommodations)
	}
}

// apart says that what a run changed was not changed between what another did, in the application's own order.
func (r *run) apart(effects []console.Effect) {
	seen, last := map[string]bool{}, ""
	for _, effect := range effects {
		if effect.Run != last && seen[effect.Run] {
			r.violation("runs %s and %s changed data at the same time", last, effect.Run)
			return
		}
		seen[effect.Run], last = true, effect.Run
	}
}
