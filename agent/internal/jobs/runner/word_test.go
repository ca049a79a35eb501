package runner_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/agent/internal/gates"
	"github.com/re-connect/rpctl/agent/internal/jobs/console"
	"github.com/re-connect/rpctl/agent/internal/jobs/jobstest"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

// approved is a host with an approved plan, whose first step's real run has a fault.
func approved(t *testing.T, fault jobstest.Fault) (*jobstest.Host, plan.Plan) {
	t.Helper()
	h, p := jobstest.NewHost(t), jobstest.Plan()
	h.Approve(p)
	h.Engine.Script = real(1, fault)
	return h, p
}

// begin admits a job, which no runner has taken up yet.
func begin(t *testing.T, h *jobstest.Host, args proto.JobStartArgs) proto.JobID {
	t.Helper()
	args.ID = h.NewID()
	if _, err := h.Start(args); err != nil {
		t.Fatal(err)
	}
	return args.ID
}

// left is what remains of the first step; -1 where that is not known.
func left(job proto.Job) int64 {
	if job.Steps[0].Remaining == nil {
		return -1
	}
	return *job.Steps[0].Remaining
}

// TestHalfDoneStep: the console dies at row 12 of 41.
func TestHalfDoneStep(t *testing.T) {
	h, p := approved(t, jobstest.Fault{Limit: 12})
	job := h.Do(apply(p))
	if job.State != proto.JobFailed || states(job) != "failed simulated simulated" || left(job) != 29 {
		t.Fatalf("%s %s, %+v, %v", job.State, states(job), job.Steps[0], job.Error)
	}
	h.Engine.Script = nil
	if _, err := h.Start(proto.JobStartArgs{ID: h.NewID(), Kind: proto.KindApply, Plan: p}); err == nil || !strings.Contains(err.Error(), "gate 8") {
		t.Errorf("without a word: %v", err)
	}
	if job := h.Do(resolved(p, "1.1", proto.ResolveDone)); job.State != proto.JobFailed || states(job) != "failed simulated simulated" ||
		!strings.Contains(string(job.Error.Message), "29 people are left") || h.Engine.Reals(p.Groups[0].Steps[0]) != 1 {
		t.Errorf("done, and it is not: %s %s, %v", job.State, states(job), job.Error)
	}
	if job := h.Do(resolved(p, "1.1", proto.ResolveRerun)); job.State != proto.JobSucceeded || counts(h.World) != after {
		t.Errorf("rerun: %s %s, %v, %v", job.State, states(job), job.Error, counts(h.World))
	}
}

// TestWhatRemainsIsOfTheLastRun: a second run that is cut off leaves nobody with the figure of the first.
func TestWhatRemainsIsOfTheLastRun(t *testing.T) {
	h, p := approved(t, jobstest.Fault{Limit: 12})
	if job := h.Do(apply(p)); left(job) != 29 {
		t.Fatalf("%+v", job.Steps[0])
	}
	h.Engine.Script = real(1, jobstest.Fault{Limit: 5, NoEnd: true})
	again := begin(t, h, resolved(p, "1.1", proto.ResolveRerun))
	h.Engine.Start = func(after bool) error {
		if after && h.Engine.Reals(p.Steps()[0].Step) == 2 {
			return jobstest.ErrKilled
		}
		return nil
	}
	if err := h.Runner().Run(t.Context(), again); !errors.Is(err, jobstest.ErrKilled) {
		t.Fatal(err)
	}
	h.Engine.SetAlive(again, false)
	if job := h.Job(again); job.State != proto.JobInterrupted || job.Steps[0].Remaining != nil {
		t.Errorf("%s, %+v", job.State, job.Steps[0])
	}
}

// TestRealRunRefusedAfterAWord: the step still waits for a word, and what is left of it is known.
func TestRealRunRefusedAfterAWord(t *testing.T) {
	h, p := approved(t, jobstest.Fault{Limit: 12})
	h.Do(apply(p))
	h.Engine.Script = real(1, jobstest.Fault{Refused: true})
	if job := h.Do(resolved(p, "1.1", proto.ResolveRerun)); job.Steps[0].State != proto.StepFailed || left(job) != 29 {
		t.Errorf("%s, %+v", job.State, job.Steps[0])
	}
}

// TestRerunMustLeadToTheForecast: people who came after the approval are not moved by a rerun either.
func TestRerunMustLeadToTheForecast(t *testing.T) {
	h, p := approved(t, jobstest.Fault{Limit: 12})
	h.Do(apply(p))
	h.Engine.Script = nil
	h.World.Add(jobstest.CHU75.ID, "CHU 77", 1)
	job := h.Do(resolved(p, "1.1", proto.ResolveRerun))
	if job.State != proto.JobFailed || states(job) != "failed simulated simulated" || !strings.Contains(string(job.Error.Message), "gate 8") ||
		h.World.Count(jobstest.CHU77.ID) != 12 {
		t.Errorf("%s %s, %v", job.State, states(job), job.Error)
	}
}

func TestDoneByHand(t *testing.T) {
	h, p := approved(t, jobstest.Fault{NoEnd: true}) // it did all, and the host went down
	job := h.Do(apply(p))
	if job.State != proto.JobInterrupted || states(job) != "interrupted simulated simulated" || left(job) != 0 {
		t.Fatalf("%s %s, %+v", job.State, states(job), job.Steps[0])
	}
	h.Engine.Script = nil
	if job := h.Do(resolved(p, "1.1", proto.ResolveDone)); job.State != proto.JobSucceeded || counts(h.World) != after || h.Engine.Reals(p.Groups[0].Steps[0]) != 1 {
		t.Errorf("%s %s, %v", job.State, states(job), job.Error)
	}
}

// TestUnverified: the command says that it ended well, and has not done what it said.
func TestUnverified(t *testing.T) {
	h, p := jobstest.NewHost(t), jobstest.Plan()
	h.Approve(p)
	ok := console.End{Result: "success", Code: "exited", Status: "0"}
	h.Engine.Script = real(1, jobstest.Fault{Limit: 40, End: &ok})
	job := h.Do(apply(p))
	if job.State != proto.JobFailed || states(job) != "unverified simulated simulated" || left(job) != 1 {
		t.Errorf("%s %s, %+v", job.State, states(job), job.Steps[0])
	}
}

// TestAccommodationsLeftBehind: the people have moved, and what they lived in has not.
func TestAccommodationsLeftBehind(t *testing.T) {
	h, p := jobstest.NewHost(t), jobstest.Plan()
	p.Groups[0].Steps[0].WithAccommodations = true
	h.World.Stuck = 2
	h.Approve(p)
	job := h.Do(apply(p))
	if job.State != proto.JobFailed || states(job) != "unverified simulated simulated" || !strings.Contains(string(job.Error.Message), "2 accommodations are left") {
		t.Errorf("%s %s, %v", job.State, states(job), job.Error)
	}
	h.World.Stuck = 0
	if job := h.Do(resolved(p, "1.1", proto.ResolveDone)); job.State != proto.JobSucceeded {
		t.Errorf("%s, %v", job.State, job.Error)
	}
}

// TestRealRunThatIsNotStarted leaves the step as it was: it needs no word.
func TestRealRunThatIsNotStarted(t *testing.T) {
	h, p := approved(t, jobstest.Fault{Refused: true})
	if job := h.Do(apply(p)); job.State != proto.JobFailed || states(job) != "stopped simulated simulated" || job.Error.Code != proto.CodePolkit {
		t.Fatalf("%s %s, %v", job.State, states(job), job.Error)
	}
	h.Engine.Script = nil
	if job := h.Do(apply(p)); job.State != proto.JobSucceeded {
		t.Errorf("%s, %v", job.State, job.Error)
	}
}

// TestRealRunThatTheConsoleRefuses: PHP is not reached, so the step is where it was: a new one needs no word, and one that
// waited for a word still does. A status 78 after output is the application's own, and a failure.
func TestRealRunThatTheConsoleRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		before jobstest.Fault // of a job before; its step waits for a word
		fault  jobstest.Fault
		want   proto.StepState
		left   int64
	}{
		"a new step":             {fault: jobstest.Fault{NotRun: true}, want: proto.StepStopped, left: -1},
		"a step after a word":    {before: jobstest.Fault{Limit: 12}, fault: jobstest.Fault{NotRun: true}, want: proto.StepFailed, left: 29},
		"PHP ended so by itself": {fault: jobstest.Fault{Limit: 12, End: &console.End{Result: "exit-code", Code: "exited", Status: "78"}}, want: proto.StepFailed, left: 29},
	} {
		t.Run(name, func(t *testing.T) {
			h, p := approved(t, c.before)
			args := apply(p)
			if c.before.Limit > 0 {
				h.Do(apply(p))
				args = resolved(p, "1.1", proto.ResolveRerun)
			}
			h.Engine.Script = real(1, c.fault)
			job := h.Do(args)
			if job.State != proto.JobFailed || job.Steps[0].State != c.want || left(job) != c.left {
				t.Fatalf("%s %s, left %d, %v", job.State, states(job), left(job), job.Error)
			}
			if !c.fault.NotRun {
				return
			}
			if message := string(job.Error.Message); !strings.Contains(message, "refused for a test") || strings.Contains(message, "--resolve") {
				t.Errorf("%v", job.Error)
			}
			h.Engine.Script = nil
			if job := h.Do(args); job.State != proto.JobSucceeded || counts(h.World) != after {
				t.Errorf("the rest: %s %s, %v", job.State, states(job), job.Error)
			}
		})
	}
}

// TestApplyOfAnOlderAgentGoesOn after an upgrade: an agent before Record.Approval kept none.
func TestApplyOfAnOlderAgentGoesOn(t *testing.T) {
	h, p := approved(t, jobstest.Fault{Hang: true, Limit: 41})
	id := begin(t, h, apply(p))
	stopRunner(t, h, id)
	record, err := h.Service.Jobs.Load(id)
	if err != nil {
		t.Fatal(err)
	}
	if record.Approval == nil {
		t.Fatal("the record has no approval to take out")
	}
	record.Approval = nil
	if err := h.Service.Jobs.Save(record); err != nil {
		t.Fatal(err)
	}
	ran := make(chan error, 1)
	go func() { ran <- h.Runner().Run(t.Context(), id) }()
	h.Engine.End(console.End{Result: "success", Code: "exited", Status: "0"})
	if err := <-ran; err != nil {
		t.Fatal(err)
	}
	if job := h.Job(id); job.State != proto.JobSucceeded || counts(h.World) != after {
		t.Errorf("%s %s, %v", job.State, states(job), job.Error)
	}
}

// TestRunnerThatIsStoppedLeavesItsCommand: the next one finds it, and waits for it.
func TestRunnerThatIsStoppedLeavesItsCommand(t *testing.T) {
	h, p := approved(t, jobstest.Fault{Hang: true, Limit: 41})
	id := begin(t, h, apply(p))
	stopRunner(t, h, id)
	h.Engine.SetAlive(id, false)
	if job := h.Job(id); job.State != proto.JobRunning {
		t.Errorf("while its command runs, the job is %s", job.State)
	}
	ran := make(chan error, 1)
	go func() { ran <- h.Runner().Run(t.Context(), id) }()
	h.Engine.End(console.End{Result: "success", Code: "exited", Status: "0"})
	if err := <-ran; err != nil {
		t.Fatal(err)
	}
	if job := h.Job(id); job.State != proto.JobSucceeded || h.Engine.Reals(p.Groups[0].Steps[0]) != 1 {
		t.Errorf("%s %s, %v", job.State, states(job), job.Error)
	}
}

// TestUnreadableReleaseEndsTheJob: no runner comes again for what would not have changed.
func TestUnreadableReleaseEndsTheJob(t *testing.T) {
	for name, unreadable := range map[string]error{
		"a refusal":     &proto.Error{Code: proto.CodeRelease, Message: "current is no link"},
		"another error": errors.New("permission denied"),
	} {
		h, p := jobstest.NewHost(t), jobstest.Plan()
		h.Approve(p)
		id := begin(t, h, apply(p))
		h.Unreadable = unreadable
		job := h.Finish(id)
		if job.State != proto.JobFailed || job.Error.Code != proto.CodeRelease || !strings.Contains(string(job.Error.Message), unreadable.Error()) || counts(h.World) != before {
			t.Errorf("%s: %s, %v", name, job.State, job.Error)
		}
	}
	h, p := approved(t, jobstest.Fault{})
	moved := false
	h.Engine.Script = func(spec console.Spec) jobstest.Fault {
		if moved && spec.DryRun { // the dry run after the first step
			return jobstest.Fault{Before: func() { h.Unreadable = errors.New("permission denied") }}
		}
		moved = moved || !spec.DryRun
		return jobstest.Fault{}
	}
	if job := h.Do(apply(p)); states(job) != "verified stopped simulated" || !strings.Contains(string(job.Error.Message), "permission denied") {
		t.Errorf("in the middle: %s, %v", states(job), job.Error)
	}
}

// TestTheReceiptTellsWhichStepsWereResolved: the figures of such a step are of what was left of it, and who
// reads the proof is told so, whichever job brought the word. A simulation on the way tells it of what is done,
// and the approval does not hang on it.
func TestTheReceiptTellsWhichStepsWereResolved(t *testing.T) {
	h, p := approved(t, jobstest.Fault{Limit: 12})
	h.Do(apply(p))
	h.World.Add(jobstest.CHU77.ID, "other", 1)
	h.Engine.Script = real(2, jobstest.Fault{Refused: true})
	before := h.Simulate(p)
	approve(t, h, before)
	if job := h.Do(resolved(p, "1.1", proto.ResolveRerun)); states(job) != "verified stopped simulated" {
		t.Fatalf("%s, %v", states(job), job.Error)
	}
	h.Engine.Script = nil
	if s := h.Simulate(p); len(before.Resolved) != 0 || len(s.Resolved) != 1 || s.Resolved[0].Step != "1.1" || s.FiguresDigest() != before.FiguresDigest() {
		t.Errorf("before %+v, then %+v", before.Resolved, s.Resolved)
	}
	job := h.Do(apply(p))
	if job.State != proto.JobSucceeded {
		t.Fatalf("%s, %v", states(job), job.Error)
	}
	var applied proto.Applied
	if err := proto.DecodeStrict([]byte(job.Receipt.Body), &applied); err != nil {
		t.Fatal(err)
	}
	if len(applied.Resolved) != 1 || applied.Steps[0].Moved != 29 {
		t.Fatalf("%+v", applied)
	}
	if r := applied.Resolved[0]; r.Step != "1.1" || r.As != proto.ResolveRerun || r.First == nil || *r.First != 41 {
		t.Errorf("%+v", r)
	}
}

// TestAStepThatWaitsIsLedOn: the host asks for one simulation, and once it has that for the word.
func TestAStepThatWaitsIsLedOn(t *testing.T) {
	h, p := approved(t, jobstest.Fault{Limit: 12})
	h.Do(apply(p))
	h.Engine.Script = nil
	next := func() string {
		t.Helper()
		status, err := h.Service.PlanStatus(t.Context(), proto.PlanStatusArgs{Plan: p})
		if err != nil {
			t.Fatal(err)
		}
		return status.Gates[gates.Unresolved-1].Advice.Text()
	}
	if got := next(); !strings.HasPrefix(got, "rpctl migrate --plan PLAN") {
		t.Errorf("before the simulation: %q", got)
	}
	h.Simulate(p)
	if got := next(); !strings.Contains(got, "--apply --plan PLAN --resolve 1.1=rerun --reason 'a fresh dry run shows 29 left'") {
		t.Errorf("after it: %q", got)
	}
	h.World.Add(jobstest.CHU75.ID, "CHU 77", 1)
	h.Do(resolved(p, "1.1", proto.ResolveRerun))
	if got := next(); !strings.HasPrefix(got, "rpctl migrate --plan PLAN") {
		t.Errorf("once the word was refused: %q", got)
	}
}

// stopRunner runs a job until its command hangs, and stops the runner then.
func stopRunner(t *testing.T, h *jobstest.Host, id proto.JobID) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- h.Runner().Run(ctx, id) }()
	h.Until(func() bool { return h.Engine.Hanging() == 1 })
	stop()
	if err := <-ran; err == nil {
		t.Fatal("a runner that was stopped says that the job has ended")
	}
}
