package crash

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/re-connect/rpctl/agent/internal/jobs/console"
	"github.com/re-connect/rpctl/agent/internal/jobs/jobstest"
	"github.com/re-connect/rpctl/agent/internal/jobs/store"
	"github.com/re-connect/rpctl/agent/internal/lease"
	"github.com/re-connect/rpctl/proto"
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
		whole:   true,
		prepare: func(*host) {},
		act: func(h *host, told func(string)) error {
			if err := start(h, proto.KindSimulate); err != nil {
				return err
			}
			told(describe(h, job))
			return nil
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
		act: func(h *host, told func(string)) error {
			if err := approve(h, oneStep()); err != nil {
				return err
			}
			told("approved by claire")
			return nil
		},
		look: approved,
		next: func(h *host, _ bool) {
			h.must(approve(h, oneStep())) // the approver tries again
			if approved(h) != "approved by claire" {
				h.TB.Error("it is not approved")
			}
		},
	},
	{
		name:    "an approval is revoked",
		prepare: func(h *host) { h.Approve(oneStep()) },
		act: func(h *host, told func(string)) error {
			if err := revoke(h, oneStep()); err != nil {
				return err
			}
			told("revoked by alice")
			return nil
		},
		look: revoked,
		next: func(h *host, _ bool) {
			h.must(revoke(h, oneStep())) // the approver tries again
			if revoked(h) != "revoked by alice" {
				h.TB.Error("it is not revoked")
			}
			h.must(approve(h, oneStep()))
			if approved(h) != "approved by claire" {
				h.TB.Error("a newer approval does not count")
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
			h.must(approve(h, twoSteps()))
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
		act: func(h *host, told func(string)) error {
			h.limit = 12
			return runner(h, told)
		},
		look: func(h *host) string { return describe(h, job) },
		next: func(h *host, cut bool) { finish(h, oneStep(), cut) },
	},
	{
		name:    "a step is resolved",
		prepare: func(h *host) { h.must(interruptedStep(h)) },
		act: func(h *host, told func(string)) error {
			h.Engine.SetAlive(job, true)
			if _, err := h.Start(proto.JobStartArgs{ID: job, Kind: proto.KindApply, Plan: oneStep(), Resolve: rerun("1.1")}); err != nil {
				return err
			}
			told(describe(h, job))
			return runner(h, told)
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
		act: func(h *host, told func(string)) error {
			h.Engine.SetAlive(job, false)
			if _, err := h.Service.List(h.TB.Context(), proto.JobsArgs{ID: job}); err != nil {
				return err
			}
			told(describe(h, job))
			return nil
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
		act: func(h *host, told func(string)) error {
			for _, now := range []bool{false, true} {
				h.Engine.SetAlive(job, true)
				if _, err := h.Service.Cancel(h.TB.Context(), proto.JobCancelArgs{ID: job, Now: now}, jobstest.Caller); err != nil {
					return err
				}
				told(wish(h))
			}
			return nil
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
		act: func(h *host, _ func(string)) error { return h.Service.Jobs.Prune(now()) },
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
		act: func(h *host, _ func(string)) error {
			held, err := lease.Acquire(h.state, proto.Holder{Operator: "alice", User: "app", Purpose: "deploy"})
			if err != nil {
				return err
			}
			return held.Release()
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
		whole:   true,
		prepare: func(*host) {},
		act:     func(h *host, told func(string)) error { return writeAudit(h, 3, told) },
		look:    entries,
		next:    func(*host, bool) {}, // check appends, and verifies
		torn:    "audit.jsonl",
	},
	{
		name:  "a torn line of the audit is noted",
		whole: true,
		prepare: func(h *host) {
			h.must(writeAudit(h, 2, func(string) {}))
			path := filepath.Join(h.state, "audit.jsonl")
			info, err := os.Stat(path)
			h.must(err)
			h.must(os.Truncate(path, info.Size()-40))
		},
		act:  func(h *host, told func(string)) error { return writeAudit(h, 2, told) },
		look: entries,
		next: func(*host, bool) {},
	},
	{
		name:    "a run ends",
		prepare: func(*host) {},
		act: func(h *host, told func(string)) error {
			if _, there, err := h.Parts.Folders.ReadEnd(run); err != nil || !there {
				if err := h.Parts.Folders.WriteEnd(run, wellEnded()); err != nil {
					return err
				}
			}
			told("ended")
			return nil
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
