package chaos

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/re-connect/rpctl/lab/app/console"
)

// prod is the environment behind preprod, in fair weather.
const prod = "prod"

// tooEarly carries the first plan to prod before preprod has applied it: gate 4 is closed there.
func (r *run) tooEarly(ctx context.Context) {
	if _, err := r.stage.lab.RunConsole(ctx, prod, console.CommandSeed); err != nil {
		r.violation("%v", err)
	}
	r.want(ctx, 0, "", "migrate", "--plan", r.files[0], "--env", prod)
	r.want(ctx, 0, "", "migrate", "approve", "--plan", r.files[0], "--env", prod, "--key", r.stage.Approver(), "--by", "claire", "--yes")
	r.atProd(ctx, false)
}

// behindPreprod carries it there once preprod has applied it; a receipt of a broken glass opens nothing.
// One of a day that has not come yet closes gate 10.
func (r *run) behindPreprod(ctx context.Context) {
	if !r.clockMoved || r.glass {
		r.atProd(ctx, !r.glass)
		return
	}
	p := r.follow(ctx, r.toProd()...)
	if p == nil || ctx.Err() != nil || p.code == 0 || p.code == exitRefused && strings.Contains(p.stderr.String(), "gate 10 (clock)") {
		return
	}
	r.violation("prod, after preprod's clock was wrong: %d, %s", p.code, last(p.stderr.String()))
}

func (r *run) toProd() []string {
	return []string{"migrate", "--apply", "--plan", r.files[0], "--env", prod, "--yes", "--raw"}
}

// atProd applies the plan at prod, and holds what comes of it to the application's own data there.
func (r *run) atProd(ctx context.Context, opens bool) {
	m := newModel(nil)
	if opens {
		m = newModel(r.plans[:1])
		r.want(ctx, 0, "", r.toProd()...)
	} else {
		r.want(ctx, exitRefused, "gate 4 (before)", r.toProd()...)
	}
	out, err := r.stage.lab.RunConsole(ctx, prod, console.CommandEffects)
	var told console.Effects
	if err == nil {
		err = json.Unmarshal(out, &told)
	}
	if err != nil {
		r.violation("prod: the application's data cannot be read: %v", err)
		return
	}
	for i, person := range told.Individuals {
		if want := m.seed.Individuals[i]; person.ID != want.ID || person.Centre != want.Centre {
			r.violation("prod (gate 4 open: %v): person %d is in %d, want %d", opens, person.ID, person.Centre, want.Centre)
			return
		}
	}
	if real := told.Real(); !opens && len(real) > 0 || slices.ContainsFunc(real, func(one console.Run) bool { return !r.known(one) }) {
		r.violation("prod (gate 4 open: %v): %d real runs", opens, len(real))
	}
}

// known says whether a run is of a step of the first plan.
func (r *run) known(one console.Run) bool {
	for _, step := range r.plans[0].Steps() {
		if join(one.Args) == key(step.Step) {
			return true
		}
	}
	return false
}

// want types a command that must end with this code and say this.
func (r *run) want(ctx context.Context, code int, say string, args ...string) {
	p := r.follow(ctx, args...)
	if p == nil || ctx.Err() != nil {
		return
	}
	if p.code != code || !strings.Contains(p.stderr.String(), say) {
		r.violation("rpctl %s ended with %d, want %d and %q: %s", strings.Join(args, " "), p.code, code, say, last(p.stderr.String()))
	}
}
