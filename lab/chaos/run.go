package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

// run is one case on its stage.
type run struct {
	stage *stage
	aCase
	model      model
	folder     string // of the plans
	files      []string
	before     []proto.JobID // that the host had
	clockMoved bool          // the host's times say nothing about what came first
	processes  []*process
	saidDone   map[string]bool // by the step's arguments: the operator has said so, rightly or not
	reruns     map[string]int  // by the step's arguments: how often the operator said that it may run again
	partial    map[string]bool // steps that were simulated anew when a part was done, by their arguments: receipts may speak of the rest
	anew       int             // how often a plan that had begun was refused and simulated anew
	other      *process        // what a fault started beside the operator
	cut        bool            // the power was, or the disk failed: what was printed last may be lost
	undo       []func() error  // what a fault must leave as it was
	struck     []string
	violations []string
}

func (s *stage) newRun(ctx context.Context, c aCase) (*run, error) {
	r := &run{stage: s, aCase: c, model: newModel(c.plans), folder: filepath.Join(s.Dir(), fmt.Sprintf("plans-%d", c.seed)), reruns: map[string]int{}, saidDone: map[string]bool{},
		partial: map[string]bool{}}
	if s.lab == nil {
		r.glass, r.behind = false, false // real hosts have one environment, and no broken glass
	}
	if _, err := s.Console(ctx, "app:seed-migration"); err != nil {
		return nil, err
	}
	records, err := s.records()
	if err != nil {
		return nil, err
	}
	for _, record := range records {
		r.before = append(r.before, record.Job.ID)
	}
	if err := errors.Join(s.turn(c.knobs), os.Mkdir(r.folder, 0o755)); err != nil {
		return nil, err
	}
	for i, p := range c.plans {
		r.files = append(r.files, filepath.Join(r.folder, fmt.Sprintf("plan%d.toml", i)))
		if err := os.WriteFile(r.files[i], planTOML(p), 0o644); err != nil {
			return nil, err
		}
	}
	r.say("seed %d: %s; knobs %+v", c.seed, strings.Join(c.names(), ", "), c.knobs)
	return r, nil
}

func (c aCase) names() []string {
	var names []string
	for _, h := range c.hits {
		names = append(names, fmt.Sprintf("%s after %d starts and %s (%d)", h.fault.name, h.starts, h.delay, h.number))
	}
	for habit, has := range map[string]bool{"breaks the glass": c.glass, "says done": c.done, "goes on to prod": c.behind} {
		if has {
			names = append(names, habit)
		}
	}
	slices.Sort(names)
	return names
}

func (r *run) violation(format string, args ...any) {
	r.violations = append(r.violations, fmt.Sprintf(format, args...))
	r.say("VIOLATION "+format, args...)
}

func (r *run) say(format string, args ...any) {
	if r.stage.options.Verbose {
		fmt.Fprintf(r.stage.options.Log, "%s  "+format+"\n", append([]any{time.Now().Format("05.000")}, args...)...)
	}
}

// settle ends what must not outlive the run.
func (r *run) settle() {
	for _, p := range r.processes {
		if !p.gone() {
			r.kill(p)
		}
	}
	for _, undo := range r.undo {
		_ = undo() // already said where it matters
	}
}

// play is the whole story: simulate, approve, apply, the faults, what the operator does then, the oracles.
func (r *run) play(ctx context.Context) {
	release := r.stage.Hold(ctx)
	defer func() { release() }()
	for i := range r.plans {
		if !r.prepare(ctx, i) {
			return
		}
		if r.glass {
			r.unapproved(ctx, i)
		}
	}
	if r.behind {
		r.tooEarly(ctx)
	}
	release() // what strikes shall strike a connection of the command's own
	operator := r.suffer(ctx)
	if operator == nil {
		return
	}
	for _, p := range []*process{operator, r.other} {
		if p != nil {
			r.ended(ctx, p)
		}
	}
	for _, undo := range r.undo {
		if err := undo(); err != nil {
			r.violation("cannot undo a fault: %v", err)
		}
	}
	r.undo = nil
	r.idle(ctx)
	release = r.stage.Hold(ctx)
	r.truth(ctx)
	for i := range r.plans {
		r.finish(ctx, i)
	}
	if ctx.Err() == nil && r.behind {
		r.behindPreprod(ctx)
	}
	if ctx.Err() == nil {
		r.judge(ctx)
	}
}

// prepare simulates a plan and has it approved, in fair weather.
func (r *run) prepare(ctx context.Context, i int) bool {
	typed := [][]string{
		{"migrate", "--plan", r.files[i], "--env", environment},
		{"migrate", "approve", "--plan", r.files[i], "--env", environment, "--key", r.stage.Approver(), "--yes"},
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

// suffer applies the first plan while the faults strike.
func (r *run) suffer(ctx context.Context) *process {
	base := r.stage.starts()
	p, err := r.typed(r.applying(0)...)
	if err != nil {
		r.violation("%v", err)
		return nil
	}
	for _, h := range r.hits {
		r.until(ctx, p, base+h.starts, h.delay)
		if h.fault.strike(ctx, r, p, h) {
			r.struck = append(r.struck, h.fault.name)
			r.say("struck: %s", h.fault.name)
		}
	}
	return p
}

// lookEvery is how often a moment is looked for.
const lookEvery = 3 * time.Millisecond

// momentLimit bounds the wait for a moment: another fault may have made it impossible.
const momentLimit = 45 * time.Second

// until waits for a moment, or until nothing goes on any more that could bring it.
func (r *run) until(ctx context.Context, p *process, starts int, delay time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, momentLimit)
	defer cancel()
	for ctx.Err() == nil && r.stage.starts() < starts {
		if p.gone() && len(r.stage.unended()) == 0 {
			return
		}
		pause(ctx, lookEvery)
	}
	pause(ctx, delay)
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// idle waits until the host says that nothing runs: jobs go on without their operator.
func (r *run) idle(ctx context.Context) {
	for ctx.Err() == nil {
		if _, running, ok := r.status(ctx, 0); ok && running == "" {
			return
		}
		for range 40 { // the disk knows as much, and is asked for less
			if pause(ctx, 50*time.Millisecond); len(r.stage.unended()) == 0 {
				break
			}
		}
	}
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
