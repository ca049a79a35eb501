package chaos

import "context"

// betweenFaults change the data under a plan that has begun.
var betweenFaults = []fault{
	{name: "cancelled, then another plan", strike: between(), other: true},
	{name: "cancelled at once, then another plan", strike: between("--now"), other: true},
}

// between stops the first plan in its middle and applies the other one, so that what is left of the first
// finds totals that nobody has approved.
func between(how ...string) func(context.Context, *run, *process, hit) bool {
	return func(ctx context.Context, r *run, _ *process, _ hit) bool {
		running := r.stage.unended()
		for _, id := range running {
			p, err := r.typed(append([]string{"cancel", string(id), "--env", environment}, how...)...)
			if err != nil {
				r.violation("%v", err)
				return false
			}
			r.ended(ctx, p)
		}
		if len(running) == 0 {
			return false
		}
		r.idle(ctx)
		return r.beside(r.applying(1)...)
	}
}
