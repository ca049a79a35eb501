package chaos

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/re-connect/rpctl/proto"
)

// judge is every oracle, once the operator has finished the plans.
func (r *run) judge(ctx context.Context) {
	r.data(ctx)
	r.jobs(ctx)
	r.receipts(ctx)
	if r.glass {
		r.brokenGlass()
	}
	if held := r.stage.locks(); len(held) > 0 {
		r.violation("locks are held at the end: %s", strings.Join(held, ", "))
	}
	if said, err := r.stage.Ask(ctx, "rp-agent audit verify"); err != nil {
		r.violation("audit: %v %s", err, said)
	}
	if left := r.stage.Left(ctx); len(left) > 0 {
		r.violation("left: %s", strings.Join(left, "; "))
	}
	for _, dir := range []string{r.stage.State(), r.folder} {
		for _, file := range temporary(dir) {
			r.violation("a temporary file is left: %s", file)
		}
	}
}

// truth holds what the host says of the steps, while nothing runs, to what the application says.
func (r *run) truth(ctx context.Context) {
	if ctx.Err() != nil {
		return
	}
	if running := r.stage.unended(); len(running) > 0 {
		return // a job that ended on the way is settled by the next question
	}
	told, err := r.stage.effects(ctx)
	if err != nil {
		r.violation("the application's data cannot be read: %v", err)
		return
	}
	for i, p := range r.plans {
		kept, there, err := r.stage.plan(p.Ticket)
		if err != nil || !there {
			r.violation("the host does not know plan %d: %v", i, err)
			continue
		}
		status, running, ok := r.status(ctx, i)
		if !ok || running != "" {
			r.violation("no status of plan %d while nothing runs (%q)", i, running)
			continue
		}
		for n, step := range p.Steps() {
			state := status.Steps[n].State
			if onDisk := kept.steps[step.ID]; onDisk != state && (onDisk != "" || state == proto.StepVerified) {
				r.violation("plan %d: step %s is %s on the disk and %s in the status", i, step.ID, onDisk, state)
			}
			r.step(told, fmt.Sprintf("plan %d: step %s", i, step.ID), key(step.Step), state, status.Steps[n].Remaining, r.reruns[key(step.Step)])
		}
	}
}

// temporary are files that were on their way to a name and never came there.
func temporary(dir string) []string {
	var found []string
	_ = filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err == nil && path != dir && (strings.HasPrefix(entry.Name(), ".") || strings.Contains(entry.Name(), ".tmp") || strings.HasSuffix(entry.Name(), ".new")) {
			found = append(found, path)
		}
		return nil
	})
	return found
}
