package chaos

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

// prepare simulates a plan and has it approved, in fair weather.
func (r *run) prepare(ctx context.Context, i int) bool {
	typed := [][]string{
		{"migrate", "--plan", r.files[i], "--env", environment},
		{"migrate", "approve", "--plan", r.files[i], "--env", environment, "--key", r.stage.Approver(), "--by", "claire", "--yes"},
	}
	if r.glass {
		typed = typed[:1]
	}
	for _, args := range typed {
		p, err := r.typed(args...)
		if err != nil {
			r.violation("%v", err)
			return false
		}
		r.ended(ctx, p)
		if p.code != 0 {
			if ctx.Err() == nil {
				r.violation("rpctl %s ended with %d: %s", strings.Join(args, " "), p.code, last(p.stderr.String()))
			}
			return false
		}
	}
	return true
}

// applying is the command line of an apply.
func (r *run) applying(i int, words ...string) []string {
	if r.glass {
		words = append(words, "--break-glass", glassReason)
	}
	return append([]string{"migrate", "--apply", "--plan", r.files[i], "--env", environment, "--yes", "--raw"}, words...)
}

// waits says whether a step in this state is never run again without a word.
func waits(state proto.StepState) bool {
	return slices.Contains([]proto.StepState{proto.StepFailed, proto.StepInterrupted, proto.StepUnverified, proto.StepRunning, proto.StepVerifying}, state)
}

// attempts is how many commands an operator types before a plan counts as stuck.
const attempts = 14

// finish is an operator who brings a plan to its end: attaches, gives a word where the host asks for
// one, and simulates and approves again where a gate wants it.
func (r *run) finish(ctx context.Context, i int) {
	why := ""
	for range attempts {
		if ctx.Err() != nil {
			return
		}
		status, running, ok := r.status(ctx, i)
		switch {
		case !ok:
			pause(ctx, 200*time.Millisecond)
			continue
		case running != "":
			r.follow(ctx, "attach", running, "--env", environment, "--raw")
			continue
		case status.Applied != nil:
			return
		}
		p := r.applyAgain(ctx, i, status.Steps)
		r.truth(ctx)
		if p == nil {
			return
		}
		why = last(p.stderr.String())
		if p.code == exitRefused && !r.again(ctx, i) {
			return
		}
		if err := r.stage.turn(r.calm()); err != nil { // somebody mends what made the command fail
			r.violation("%v", err)
		}
	}
	if ctx.Err() == nil {
		r.violation("plan %d is not finished after %d commands: %s", i, attempts, why)
	}
}

// applyAgain applies with the operator's word on every step that waits for one.
func (r *run) applyAgain(ctx context.Context, i int, steps []proto.JobStep) *process {
	var words []string
	for _, step := range steps {
		switch key := r.key(i, step.Step); {
		case !waits(step.State):
		case r.done && !r.saidDone[key]:
			r.saidDone[key] = true
			words = append(words, "--resolve", string(step.Step)+"="+proto.ResolveDone)
		default:
			words = append(words, "--resolve", string(step.Step)+"="+proto.ResolveRerun)
			r.reruns[key]++
		}
	}
	if words != nil {
		words = append(words, "--reason", "chaos")
	}
	return r.follow(ctx, r.applying(i, words...)...)
}

// key is what the console's log knows a plan's step by.
func (r *run) key(i int, id plan.StepID) string {
	for _, step := range r.plans[i].Steps() {
		if step.ID == id {
			return key(step.Step)
		}
	}
	return ""
}

// Exit codes of rpctl (docs/exit-codes.md).
const (
	exitRefused = 4
	exitHost    = 8
)

// again is what an operator does whose apply was refused: simulate what is left and have it approved once more.
func (r *run) again(ctx context.Context, i int) bool {
	kept, _, err := r.stage.plan(r.plans[i].Ticket)
	if err != nil {
		r.violation("%v", err)
		return false
	}
	begun := 0
	for _, step := range r.plans[i].Steps() {
		if waits(kept.steps[step.ID]) {
			r.partial[key(step.Step)] = true
		}
		if state := kept.steps[step.ID]; waits(state) || state == proto.StepVerified {
			begun = 1
		}
	}
	r.anew += begun
	return r.prepare(ctx, i)
}

func (r *run) follow(ctx context.Context, args ...string) *process {
	p, err := r.typed(args...)
	if err != nil {
		r.violation("%v", err)
		return nil
	}
	r.ended(ctx, p)
	return p
}
