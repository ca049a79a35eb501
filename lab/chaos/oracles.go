package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/re-connect/rpctl/internal/signature"
	"github.com/re-connect/rpctl/lab/app/console"
	"github.com/re-connect/rpctl/proto"
)

// event is the little of rpctl's --json that is read here.
type event struct {
	Event      string            `json:"event"`
	PlanStatus *proto.PlanStatus `json:"plan_status"`
	Stream     string            `json:"stream"`
	Offset     *int64            `json:"offset"`
	Data       []byte            `json:"data"`
}

func events(text []byte) (all []event, err error) {
	for line := range bytes.Lines(text) {
		var e event
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("%q is no event: %w", line, err)
		}
		all = append(all, e)
	}
	return all, nil
}

// status is what the tool says of a plan.
func (r *run) status(ctx context.Context, i int) (status proto.PlanStatus, running string, ok bool) {
	p := r.follow(ctx, "migrate", "status", "--plan", r.files[i], "--env", environment, "--json")
	if p == nil || p.code != 0 {
		return status, "", false
	}
	all, err := events(p.stdout.Bytes())
	if err != nil {
		r.violation("%v", err)
		return status, "", false
	}
	for _, e := range all {
		if e.PlanStatus != nil {
			return *e.PlanStatus, string(e.PlanStatus.Running), true
		}
	}
	return status, "", false
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

// jobs holds output, as it is attached to and as it was seen, to the host's bytes.
func (r *run) jobs(ctx context.Context) {
	records, err := r.stage.records()
	if err != nil {
		r.violation("%v", err)
		return
	}
	all := len(records)
	records = slices.DeleteFunc(records, func(one record) bool { return slices.Contains(r.before, one.Job.ID) })
	if lost := len(r.before) - (all - len(records)); lost > 0 {
		r.violation("%d jobs of earlier runs are lost", lost)
	}
	for _, record := range records {
		id := string(record.Job.ID)
		if !record.Job.State.Ended() {
			r.violation("job %s is %s at the end", id, record.Job.State)
			continue
		}
		out, err := r.stage.output(record, "out")
		errs, err2 := r.stage.output(record, "err")
		if err != nil || err2 != nil {
			r.violation("%v %v", err, err2)
			continue
		}
		r.attached(ctx, id, out, errs)
		for _, p := range r.processes {
			if p.job() == id && slices.Contains(p.args, "--raw") {
				r.seen(p, id, out)
			}
		}
	}
	if !r.clockMoved {
		r.alone(records)
	}
}

// attached reads a job's output from its first byte, raw and as events.
func (r *run) attached(ctx context.Context, id string, out, errs []byte) {
	p := r.follow(ctx, "attach", id, "--env", environment, "--from", "start", "--raw")
	if p != nil && !bytes.Equal(p.stdout.Bytes(), out) {
		r.violation("attach %s --raw shows %d bytes of stdout, the host has %d%s", id, p.stdout.Len(), len(out), differ(p.stdout.Bytes(), out))
	}
	if p = r.follow(ctx, "attach", id, "--env", environment, "--from", "start", "--json"); p == nil {
		return
	}
	all, err := events(p.stdout.Bytes())
	if err != nil {
		r.violation("%v", err)
	}
	streams := map[string]*bytes.Buffer{"stdout": {}, "stderr": {}}
	for _, e := range all {
		if e.Event != "console" {
			continue
		}
		if b := streams[e.Stream]; *e.Offset != int64(b.Len()) {
			r.violation("attach %s has a hole in %s: at %d, want %d", id, e.Stream, *e.Offset, b.Len())
		}
		streams[e.Stream].Write(e.Data)
	}
	for name, want := range map[string][]byte{"stdout": out, "stderr": errs} {
		if got := streams[name].Bytes(); !bytes.Equal(got, want) {
			r.violation("attach %s shows %d bytes of %s, the host has %d%s", id, len(got), name, len(want), differ(got, want))
		}
	}
}

// seen holds what a command showed while faults struck: all of it, or of one that was cut short, the beginning.
func (r *run) seen(p *process, id string, out []byte) {
	shown := p.stdout.Bytes()
	switch {
	case r.cut && bytes.HasPrefix(shown, out): // what no fsync had seen yet
	case (p.code == 0 || p.code == 1) && !p.killed && !bytes.Equal(shown, out):
		r.violation("rpctl %s showed %d bytes of job %s, the host has %d%s", p.args[0], len(shown), id, len(out), differ(shown, out))
	case !bytes.HasPrefix(out, shown):
		r.violation("rpctl %s showed %d bytes of job %s that are not how the host's %d begin%s", p.args[0], len(shown), id, len(out), differ(shown, out))
	}
}

func differ(got, want []byte) string {
	n := 0
	for n < len(got) && n < len(want) && got[n] == want[n] {
		n++
	}
	return fmt.Sprintf(" (they part at %d)", n)
}

// alone says that no two real runs were at the same time, and that no release was switched in one.
func (r *run) alone(records []record) {
	var switched time.Time
	if info, err := os.Lstat(filepath.Join(r.stage.Application(), "current")); err == nil {
		switched = info.ModTime()
	}
	var until time.Time
	for _, record := range records {
		for _, run := range record.Runs {
			if run.Purpose != "real" {
				continue
			}
			if run.Began.Before(until) {
				r.violation("job %s: step %s began at %s, another ran until %s", record.Job.ID, run.Step, run.Began, until)
			}
			until = run.Ended
			if switched.After(run.Began) && switched.Before(run.Ended) {
				r.violation("job %s: a release was switched while step %s ran", record.Job.ID, run.Step)
			}
		}
	}
}

// receipts verifies what is signed, on the host and beside the plans, and holds it to the model.
func (r *run) receipts(ctx context.Context) {
	public, err := r.stage.ReceiptKey(ctx)
	if err != nil {
		r.violation("the host's receipt key: %v", err)
		return
	}
	line := fmt.Sprintf("%s namespaces=\"%s,%s\" %s\n", alias, proto.NamespaceSimulation, proto.NamespaceApplied, public)
	signers, err := signature.ParseSigners([]byte(line))
	if err != nil {
		r.violation("the host's receipt key: %v", err)
		return
	}
	verify := func(where string, signed proto.Signed, namespace string) {
		if _, err := signers.Verify(signed, namespace, time.Now()); err != nil {
			r.violation("%s does not verify: %v", where, err)
		}
	}
	for i, p := range r.plans {
		kept, _, err := r.stage.plan(p.Ticket)
		if err != nil || kept.applied == nil || kept.simulation == nil {
			r.violation("plan %d is finished, and the host has no receipt of it (%v)", i, err)
			continue
		}
		verify("the host's simulation", *kept.simulation, proto.NamespaceSimulation)
		verify("the host's receipt", *kept.applied, proto.NamespaceApplied)
		r.figures(i, *kept.applied)
		folder := strings.TrimSuffix(r.files[i], ".toml") + ".receipts"
		for name, namespace := range map[string]string{"simulation": proto.NamespaceSimulation, "applied": proto.NamespaceApplied} {
			file := filepath.Join(folder, environment+"-"+name+".json")
			body, err := os.ReadFile(file)
			if os.IsNotExist(err) && namespace == proto.NamespaceApplied {
				continue // its operator was killed before it came; `migrate status` has it from the host
			}
			sig, err2 := os.ReadFile(file + ".sig")
			if err != nil || err2 != nil {
				r.violation("%v %v", err, err2)
				continue
			}
			verify(file, proto.Signed{Namespace: namespace, Body: string(body), Signature: string(sig)}, namespace)
		}
	}
}

// figures holds a receipt to who really moved.
func (r *run) figures(i int, signed proto.Signed) {
	var applied proto.Applied
	if err := json.Unmarshal([]byte(signed.Body), &applied); err != nil {
		r.violation("the receipt of plan %d: %v", i, err)
		return
	}
	for n, step := range r.plans[i].Steps() {
		want, got := int64(len(r.model.moves[key(step.Step)])), applied.Steps[n].Moved
		if got > want || got < want && !r.partial[key(step.Step)] {
			r.violation("the receipt of plan %d says that step %s moved %d, want %d", i, step.ID, got, want)
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
