package crash

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/re-connect/rpctl/agent/internal/audit"
	"github.com/re-connect/rpctl/agent/internal/jobs/console"
	"github.com/re-connect/rpctl/agent/internal/jobs/jobstest"
	"github.com/re-connect/rpctl/agent/internal/jobs/store"
	"github.com/re-connect/rpctl/agent/internal/lease"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

// The job and the run that are changed.
const (
	job = proto.JobID("crashjob1")
	run = console.ID("0123456789abcdef")
)

// transitions are all changes of a state folder. A runner's whole work is one here: it is stopped at each call of
// each of its states (accepted, running, each step simulated, checking, running, verifying, verified, failed,
// signed, ended).
var transitions = []transition{
	{
		name:    "the first job is made",
		prepare: func(*host) {},
		act: func(h *host, told func(string)) {
			h.must(start(h, proto.KindSimulate))
			told(describe(h, job))
		},
		look: func(h *host) string { return describe(h, job) },
		next: func(h *host, _ bool) { // the controller asks again, with the same id
			h.must(start(h, proto.KindSimulate))
			if done := h.Finish(job); done.State != proto.JobSucceeded {
				h.TB.Errorf("asked again: %s, %v", done.State, done.Error)
			}
		},
	},
	{
		name:    "a plan is simulated",
		prepare: func(h *host) { h.must(start(h, proto.KindSimulate)) },
		act:     runner,
		look:    func(h *host) string { return describe(h, job) },
		next: func(h *host, cut bool) {
			resume(h, cut)
			if h.World.Count(jobstest.CHU77.ID) != 0 || len(h.effects()) > 0 {
				h.TB.Error("a simulation changed the data")
			}
			h.Approve(twoSteps())
			finish(h, twoSteps(), true)
		},
	},
	{
		name:    "a plan is approved",
		prepare: func(h *host) { h.Simulate(oneStep()) },
		act: func(h *host, told func(string)) {
			approve(h, oneStep())
			told(approved(h))
		},
		look: approved,
		next: func(h *host, _ bool) {
			approve(h, oneStep()) // the approver tries again
			if approved(h) != "approved by claire" {
				h.TB.Error("it is not approved")
			}
		},
	},
	{
		name: "a plan is applied",
		prepare: func(h *host) {
			h.Approve(twoSteps())
			h.must(start(h, proto.KindApply))
		},
		act:  runner,
		look: func(h *host) string { return marked(h, describe(h, job)) },
		next: func(h *host, cut bool) { finish(h, twoSteps(), cut) },
	},
	{
		name:    "what is left is simulated anew",
		prepare: func(h *host) { h.must(drifted(h)) },
		act:     runner,
		look: func(h *host) string {
			firstIsDone(h)
			return describe(h, job)
		},
		next: func(h *host, cut bool) {
			resume(h, cut)
			if again := h.Do(proto.JobStartArgs{ID: "simulateagain", Kind: proto.KindSimulate, Plan: twoSteps()}); again.State != proto.JobSucceeded {
				h.TB.Errorf("simulated again: %s, %v", again.State, again.Error)
			}
			approve(h, twoSteps())
			if evidence := firstIsDone(h); !evidence.Simulation.Steps[0].Done {
				h.TB.Error("what is approved does not say that the first step is done")
			}
			finish(h, twoSteps(), true)
		},
	},
	{
		name: "a step fails",
		prepare: func(h *host) {
			h.Approve(oneStep())
			_, err := h.Start(proto.JobStartArgs{ID: job, Kind: proto.KindApply, Plan: oneStep()})
			h.must(err)
		},
		act: func(h *host, told func(string)) {
			h.limit = 12
			runner(h, told)
		},
		look: func(h *host) string { return describe(h, job) },
		next: func(h *host, cut bool) { finish(h, oneStep(), cut) },
	},
	{
		name:    "a step is resolved",
		prepare: func(h *host) { h.must(interruptedStep(h)) },
		act: func(h *host, told func(string)) {
			_, err := h.Start(proto.JobStartArgs{ID: job, Kind: proto.KindApply, Plan: oneStep(), Resolve: rerun("1.1")})
			h.must(err)
			told(describe(h, job))
			runner(h, told)
		},
		look: func(h *host) string { return describe(h, job) },
		next: func(h *host, cut bool) {
			if cut || describe(h, job) == store.ErrNotFound.Error() {
				finish(h, oneStep(), true)
				return
			}
			finish(h, oneStep(), false)
		},
	},
	{
		name: "a job is found interrupted",
		prepare: func(h *host) {
			h.Approve(oneStep())
			_, err := h.Start(proto.JobStartArgs{ID: job, Kind: proto.KindApply, Plan: oneStep()})
			h.must(err)
			killAt(h, job, store.Real)
		},
		act: func(h *host, told func(string)) {
			h.Engine.SetAlive(job, false)
			h.Job(job)
			told(describe(h, job))
		},
		look: func(h *host) string { return describe(h, job) },
		next: func(h *host, _ bool) { finish(h, oneStep(), true) },
	},
	{
		name: "a job is cancelled",
		prepare: func(h *host) {
			h.must(start(h, proto.KindSimulate))
			killAt(h, job, store.Simulate)
		},
		act: func(h *host, told func(string)) {
			for _, now := range []bool{false, true} {
				h.Engine.SetAlive(job, true)
				_, err := h.Service.Cancel(h.TB.Context(), proto.JobCancelArgs{ID: job, Now: now}, jobstest.Caller)
				h.must(err)
				told(wish(h))
			}
		},
		look: wish,
		next: func(h *host, _ bool) {
			asked := wish(h) != "nobody asked"
			h.Engine.SetAlive(job, true)
			if done := h.Finish(job); asked != (done.State == proto.JobCancelled) {
				h.TB.Errorf("asked %v, and it is %s: %v", asked, done.State, done.Error)
			}
		},
	},
	{
		name: "old jobs are pruned",
		prepare: func(h *host) {
			h.must(start(h, proto.KindSimulate))
			h.must(h.Runner().Run(h.TB.Context(), job))
			old := now().AddDate(-1, 0, 0)
			for i := range 52 {
				h.must(ended(h, proto.JobID(fmt.Sprintf("oldjob%03d", i)), old.Add(time.Duration(i)*time.Minute)))
			}
		},
		act: func(h *host, told func(string)) { h.must(h.Service.Jobs.Prune(now())) },
		look: func(h *host) string {
			for _, record := range listed(h) {
				if _, err := h.Service.Jobs.Spec(record.Job.ID); err != nil {
					h.TB.Errorf("job %s is there, and what was asked is not: %v", record.Job.ID, err)
				}
			}
			return "pruned or not"
		},
		next: func(h *host, _ bool) {
			h.must(h.Service.Jobs.Prune(now()))
			if n := len(listed(h)); n != 50 {
				h.TB.Errorf("%d jobs", n)
			}
		},
	},
	{
		name:    "the host is taken and given back",
		prepare: func(*host) {},
		act: func(h *host, _ func(string)) {
			held, err := lease.Acquire(h.state, proto.Holder{Operator: "alice", User: "app", Purpose: "deploy"})
			h.must(err)
			h.must(held.Release())
		},
		look: func(h *host) string { // whoever held it is dead
			holder, err := lease.HolderOf(h.state)
			h.must(err)
			if holder != nil {
				h.TB.Errorf("held by %+v", holder)
			}
			return "free"
		},
		next: func(h *host, _ bool) {
			for range 2 {
				held, err := lease.Acquire(h.state, proto.Holder{Operator: "bob", User: "app", Purpose: "deploy"})
				h.must(err)
				if holder, err := lease.HolderOf(h.state); err != nil || holder == nil || holder.Operator != "bob" {
					h.TB.Errorf("held by %+v, %v", holder, err)
				}
				h.must(held.Release())
			}
		},
	},
	{
		name:    "the audit is written",
		prepare: func(*host) {},
		act: func(h *host, told func(string)) {
			for range 3 {
				_, err := audit.New(h.state).Append(proto.AuditEntry{Action: audit.ActionRecord, User: "app"})
				h.must(err)
				told(entries(h))
			}
		},
		look: entries,
		next: func(*host, bool) {}, // check appends, and verifies
		torn: "audit.jsonl",
	},
	{
		name:    "a run ends",
		prepare: func(*host) {},
		act: func(h *host, told func(string)) {
			h.must(h.Parts.Folders.WriteEnd(run, wellEnded()))
			told("ended")
		},
		look: func(h *host) string {
			end, there, err := h.Parts.Folders.ReadEnd(run)
			h.must(err)
			switch {
			case !there:
				return "open"
			case !end.OK():
				h.TB.Errorf("ended as %v", end)
			}
			return "ended"
		},
		next: func(h *host, _ bool) { // systemd has run it once, and records it once more where it did not
			if _, there, err := h.Parts.Folders.ReadEnd(run); err != nil || !there {
				h.must(h.Parts.Folders.WriteEnd(run, wellEnded()))
			}
		},
	},
}

func wellEnded() console.End {
	return console.End{Result: "success", Code: "exited", Status: "0", Time: now()}
}

// entries is how many whole entries the audit has.
func entries(h *host) string {
	all, err := audit.New(h.state).Last(99)
	h.must(err)
	all = slices.DeleteFunc(all, func(e proto.AuditEntry) bool { return e.Action == audit.ActionTorn })
	return fmt.Sprintf("%d entries", len(all))
}

func approve(h *host, p plan.Plan) {
	h.TB.Helper()
	evidence, err := plansOf(h).Evidence(p.Digest(), now())
	h.must(err)
	_, err = h.Service.Approve(h.TB.Context(), proto.ApproveArgs{Approval: h.Approval(*evidence.Simulation)}, jobstest.Caller)
	h.must(err)
}

func approved(h *host) string {
	evidence, err := plansOf(h).Evidence(oneStep().Digest(), now())
	h.must(err)
	if len(evidence.Doubts) > 0 {
		h.TB.Errorf("doubts: %v", evidence.Doubts)
	}
	if evidence.Approval == nil {
		return "not approved"
	}
	return "approved by " + evidence.Approval.Signer
}

func wish(h *host) string {
	asked, err := h.Service.Jobs.CancelAsked(job)
	h.must(err)
	switch {
	case asked == nil:
		return "nobody asked"
	case asked.Now:
		return "at once"
	}
	return "before the next step"
}

// ended puts an old job there.
func ended(h *host, id proto.JobID, at time.Time) error {
	return h.Service.Jobs.Create(store.Spec{Args: proto.JobStartArgs{ID: id}, Created: at},
		store.Record{Job: proto.Job{ID: id, State: proto.JobSucceeded, Created: at, Ended: at, Steps: []proto.JobStep{}}})
}

func listed(h *host) []store.Record {
	all, err := h.Service.Jobs.List()
	h.must(err)
	return all
}

// errKilled is what a runner is killed with in preparations.
var errKilled = errors.New("killed")

// killAt runs a job until a command of this purpose was started, and no runner is left.
func killAt(h *host, id proto.JobID, purpose store.Purpose) {
	h.TB.Helper()
	r, started := h.Runner(), false
	r.Saved = func(record store.Record) error {
		current := record.Current()
		started = current != nil && current.Purpose == purpose
		return nil
	}
	h.Engine.Start = func(bool) error {
		if started {
			return errKilled
		}
		return nil
	}
	defer func() { h.Engine.Start = nil }()
	if err := r.Run(h.TB.Context(), id); !errors.Is(err, errKilled) {
		h.TB.Fatalf("the runner ended with %v", err)
	}
}

// marked is what look says, after it was checked that nothing happened to the data without its mark: a step that may
// have been run is one that is never run again by itself, and the audit has told before.
func marked(h *host, is string) string {
	h.TB.Helper()
	steps, err := plansOf(h).Steps(twoSteps().Digest())
	h.must(err)
	states := steps.State()
	begun := 0
	all, err := audit.New(h.state).Last(99)
	h.must(err)
	for _, entry := range all {
		if entry.Action == audit.ActionStep {
			begun++
		}
	}
	effects := h.effects()
	if begun < len(effects) {
		h.TB.Errorf("%d real commands were run, and the audit knows of %d", len(effects), begun)
	}
	for _, step := range twoSteps().Steps() {
		for _, effect := range effects {
			if effect.Shell(false) == step.Shell(false) && !mark(states[step.ID]) {
				h.TB.Errorf("step %s was run and is marked as %q", step.ID, states[step.ID])
			}
		}
	}
	return is
}

func mark(state proto.StepState) bool {
	return strings.Contains("running verifying verified failed interrupted unverified", string(state)) && state != ""
}
