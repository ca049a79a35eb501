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
