package runner_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/re-connect/rpctl/agent/internal/jobs/console"
	"github.com/re-connect/rpctl/agent/internal/jobs/jobstest"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

func simulate(p plan.Plan) proto.JobStartArgs {
	return proto.JobStartArgs{Kind: proto.KindSimulate, Plan: p}
}

// approve signs and brings claire's yes to a simulation.
func approve(t *testing.T, h *jobstest.Host, s proto.Simulation) {
	t.Helper()
	if _, err := h.Service.Approve(t.Context(), proto.ApproveArgs{Approval: h.Approval(s)}, jobstest.Caller); err != nil {
		t.Fatalf("approve: %v", err)
	}
}

// refusedStart is what the host says to an apply that must not begin.
func refusedStart(t *testing.T, h *jobstest.Host, args proto.JobStartArgs, words string) {
	t.Helper()
	args.ID = h.NewID()
	if _, err := h.Start(args); err == nil || !strings.Contains(err.Error(), words) {
		t.Errorf("got %v, want a refusal: …%s…", err, words)
	}
}

// drifted is a host on which the first step is verified and the second was stopped: somebody came.
func drifted(t *testing.T) (*jobstest.Host, plan.Plan) {
	t.Helper()
	h, p := jobstest.NewHost(t), jobstest.Plan()
	h.Approve(p)
	h.Engine.Script = real(1, jobstest.Fault{Before: func() { h.World.Add(jobstest.CPH.ID, "CHU 75", 1) }})
	if job := h.Do(apply(p)); states(job) != "verified stopped simulated" || !strings.Contains(job.Error.Advice.Text(), "rpctl migrate --plan") {
		t.Fatalf("%s, %v", states(job), job.Error)
	}
	h.Engine.Script = nil
	return h, p
}

// TestWhatIsLeftIsSimulatedAnew: verified steps keep their figures and are not looked at, the others get
// new ones, which void the approval; then the plan goes on at its next step.
func TestWhatIsLeftIsSimulatedAnew(t *testing.T) {
	h, p := drifted(t)
	var looked []string
	h.Engine.Script = func(spec console.Spec) jobstest.Fault {
		looked = append(looked, spec.Step.Value)
		return jobstest.Fault{}
	}
	anew := h.Simulate(p)
	if strings.Join(looked, ", ") != "CPH, CHU 75" {
		t.Errorf("dry runs of %v", looked)
	}
	want := []plan.Forecast{
		{Step: "1.1", OriginBefore: 160, OriginAfter: 119, DestinationBefore: 0, DestinationAfter: 41, Moved: 41},
		{Step: "1.2", OriginBefore: 119, OriginAfter: 109, DestinationBefore: 181, DestinationAfter: 191, Moved: 10},
		{Step: "2.1", OriginBefore: 191, OriginAfter: 169, DestinationBefore: 109, DestinationAfter: 131, Moved: 22},
	}
	for i, step := range anew.Steps {
		if step.Forecast != want[i] || step.Done != (i == 0) {
			t.Errorf("%+v, want %+v", step, want[i])
		}
	}
	refusedStart(t, h, apply(p), "gate 3 (approval) is closed: the figures changed since claire approved them")
	approve(t, h, anew)
	job := h.Do(apply(p))
	if job.State != proto.JobSucceeded || counts(h.World) != [3]int{131, 41, 169} {
		t.Fatalf("%s %s, %v, %v", job.State, states(job), job.Error, counts(h.World))
	}
	atMostOnce(t, h, p)
	var applied proto.Applied
	if err := proto.DecodeStrict([]byte(job.Receipt.Body), &applied); err != nil || applied.Plan != p.Digest() || len(applied.Steps) != 3 || applied.Steps[2] != want[2] {
		t.Errorf("%+v, %v", applied, err)
	}
	if job := h.Do(simulate(p)); job.State != proto.JobSucceeded || job.Receipt != nil || job.Done() != 3 {
		t.Errorf("of a plan that is applied nothing is left: %s %s, %v", job.State, states(job), job.Receipt)
	}
}

// TestFiguresThatHoldAreKept: an operator who only looks at what a broken step left needs no new approval.
func TestFiguresThatHoldAreKept(t *testing.T) {
	h, p := jobstest.NewHost(t), jobstest.Plan()
	first := h.Simulate(p)
	approve(t, h, first)
	h.Engine.Script = real(2, jobstest.Fault{Limit: 4})
	if job := h.Do(apply(p)); states(job) != "verified failed simulated" {
		t.Fatal(states(job))
	}
	h.Engine.Script = nil
	h.Release.Revision = "def"
	refusedStart(t, h, resolved(p, "1.2", proto.ResolveRerun), "gate 1 (simulation) is closed: the application was abc")
	again := h.Do(simulate(p))
	if states(again) != "verified simulated simulated" || again.Steps[1].Remaining == nil || *again.Steps[1].Remaining != 6 || !strings.Contains(string(again.Steps[1].Detail), "1.2=rerun") {
		t.Errorf("%s, %+v", states(again), again.Steps[1])
	}
	var kept proto.Simulation
	if err := proto.DecodeStrict([]byte(again.Receipt.Body), &kept); err != nil || kept.FiguresDigest() != first.FiguresDigest() || kept.Nonce == first.Nonce || kept.Revision != "def" {
		t.Errorf("%+v, %v", kept, err)
	}
	refusedStart(t, h, apply(p), "gate 8 (unresolved) is closed: step 1.2 is failed")
	job := h.Do(resolved(p, "1.2", proto.ResolveRerun))
	if job.State != proto.JobSucceeded || counts(h.World) != after {
		t.Fatalf("%s, %v, %v", job.State, job.Error, counts(h.World))
	}
	wholeInTheReceipt(t, job, first.Steps[1].Forecast)
}

// TestARerunAloneKeepsTheFigures: the word may come without a simulation before it, and the receipt says the same.
func TestARerunAloneKeepsTheFigures(t *testing.T) {
	h, p := jobstest.NewHost(t), jobstest.Plan()
	first := h.Simulate(p)
	approve(t, h, first)
	h.Engine.Script = real(2, jobstest.Fault{Limit: 4})
	h.Do(apply(p))
	h.Engine.Script = nil
	job := h.Do(resolved(p, "1.2", proto.ResolveRerun))
	if job.State != proto.JobSucceeded {
		t.Fatalf("%s, %v", job.State, job.Error)
	}
	wholeInTheReceipt(t, job, first.Steps[1].Forecast)
}

// wholeInTheReceipt holds step 1.2, which a rerun ended and nothing had changed, to all that was approved of it.
func wholeInTheReceipt(t *testing.T, job proto.Job, approved plan.Forecast) {
	t.Helper()
	var applied proto.Applied
	if err := proto.DecodeStrict([]byte(job.Receipt.Body), &applied); err != nil {
		t.Fatal(err)
	}
	r, went := proto.ResolvedAs(applied.Resolved, "1.2")
	if applied.Steps[1] != approved || !went || r.As != proto.ResolveRerun || r.First == nil || *r.First != approved.Moved {
		t.Errorf("the receipt says %+v, %+v; approved was %+v", applied.Steps[1], applied.Resolved, approved)
	}
}

// TestABrokenStepIsSimulatedAnew: somebody came to a step that was cut off. Its rest has new figures,
// and it still waits for a word.
func TestABrokenStepIsSimulatedAnew(t *testing.T) {
	h, p := jobstest.NewHost(t), jobstest.Plan()
	h.Approve(p)
	h.Engine.Script = real(1, jobstest.Fault{Limit: 12})
	h.Do(apply(p))
	h.Engine.Script = nil
	h.World.Add(jobstest.CHU75.ID, "CHU 77", 1)
	if job := h.Do(resolved(p, "1.1", proto.ResolveRerun)); !strings.Contains(string(job.Error.Message), "gate 8") || !strings.Contains(job.Error.Advice.Text(), "rpctl migrate --plan") {
		t.Fatalf("%v", job.Error)
	}
	anew := h.Simulate(p)
	if want := (plan.Forecast{Step: "1.1", OriginBefore: 149, OriginAfter: 119, DestinationBefore: 12, DestinationAfter: 42, Moved: 30}); anew.Steps[0].Forecast != want || anew.Steps[0].Done {
		t.Errorf("%+v", anew.Steps[0])
	}
	refusedStart(t, h, resolved(p, "1.1", proto.ResolveRerun), "gate 3 (approval)")
	approve(t, h, anew)
	refusedStart(t, h, apply(p), "gate 8 (unresolved)")
	if job := h.Do(resolved(p, "1.1", proto.ResolveRerun)); job.State != proto.JobSucceeded || counts(h.World) != [3]int{130, 42, 169} {
		t.Errorf("%s %s, %v, %v", job.State, states(job), job.Error, counts(h.World))
	}
}

// TestNothingIsSignedAcrossARealRun: the dry runs of a simulation saw the data before and after a run.
func TestNothingIsSignedAcrossARealRun(t *testing.T) {
	h, p := jobstest.NewHost(t), jobstest.Plan()
	first := h.Simulate(p)
	approve(t, h, first)
	applied := false
	h.Engine.Script = func(console.Spec) jobstest.Fault {
		if applied {
			return jobstest.Fault{}
		}
		return jobstest.Fault{Before: func() {
			applied = true
			h.Engine.Script = real(2, jobstest.Fault{Limit: 4})
			h.Do(apply(p))
			h.Engine.Script = nil
		}}
	}
	job := h.Do(simulate(p))
	if job.State != proto.JobFailed || job.Receipt != nil || !strings.Contains(string(job.Error.Message), "applied this plan meanwhile") {
		t.Errorf("%s, %v", job.State, job.Error)
	}
	refusedStart(t, h, apply(p), "gate 8 (unresolved)")
}

// TestSimulatedAnewAfterTheClockWasAhead: a job of five minutes ahead is no job of the future.
func TestSimulatedAnewAfterTheClockWasAhead(t *testing.T) {
	h, p := jobstest.NewHost(t), jobstest.Plan()
	ahead := time.Duration(0)
	h.Parts.Now = func() time.Time { return time.Now().Add(ahead) }
	h.Reopen()
	h.Approve(p)
	h.Engine.Script = real(1, jobstest.Fault{Limit: 12})
	ahead = 5 * time.Minute
	if job := h.Do(apply(p)); job.State != proto.JobFailed {
		t.Fatalf("%s", job.State)
	}
	h.Engine.Script, ahead = nil, 0
	if job := h.Do(simulate(p)); job.State != proto.JobSucceeded {
		t.Errorf("%s, %v", job.State, job.Error)
	}
}

// TestALostRecordRunsNothingAgain: the host's record of the steps is gone, and what it has signed says more.
func TestALostRecordRunsNothingAgain(t *testing.T) {
	h, p := drifted(t)
	approve(t, h, h.Simulate(p))
	record := filepath.Join(h.Parts.State, "plans", p.Digest(), "steps.json")
	kept, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(record); err != nil {
		t.Fatal(err)
	}
	refusedStart(t, h, apply(p), "gate 6 (order) is closed: step 1.1 was verified before the simulation")
	if err := os.WriteFile(record, kept, 0o600); err != nil {
		t.Fatal(err)
	}
	if job := h.Do(apply(p)); job.State != proto.JobSucceeded {
		t.Fatal(job.Error)
	}
	if err := os.Remove(record); err != nil {
		t.Fatal(err)
	}
	refusedStart(t, h, apply(p), "gate 6 (order) is closed: this host has signed that the plan was applied")
	if job := h.Do(simulate(p)); job.State != proto.JobFailed || job.Receipt != nil || !strings.Contains(string(job.Error.Message), "record of the steps") {
		t.Errorf("%s, %v", job.State, job.Error)
	}
	atMostOnce(t, h, p)
}

// TestALostRecordIsNotSimulatedAway: a new simulation would take the place of what proves that a step was done.
func TestALostRecordIsNotSimulatedAway(t *testing.T) {
	for name, early := range map[string]bool{"before it begins": true, "before it is signed": false} {
		t.Run(name, func(t *testing.T) {
			h, p := drifted(t)
			approve(t, h, h.Simulate(p))
			lose := func() {
				if err := os.RemoveAll(filepath.Join(h.Parts.State, "plans", p.Digest(), "steps.json")); err != nil {
					t.Error(err)
				}
				h.World.Add(jobstest.CHU75.ID, "CHU 77", 2)
			}
			if early {
				lose()
			} else {
				h.Engine.Script = always(jobstest.Fault{Before: lose})
			}
			job := h.Do(simulate(p))
			h.Engine.Script = nil
			if job.State != proto.JobFailed || job.Receipt != nil || !strings.Contains(string(job.Error.Message), "step 1.1 was verified before") || job.Error.Advice.Text() != "rpctl plan new" {
				t.Errorf("%s, %+v", job.State, job.Error)
			}
			refusedStart(t, h, apply(p), "gate 6 (order) is closed: step 1.1 was verified before the simulation")
			atMostOnce(t, h, p)
		})
	}
}

// TestTheFiguresOfWhatIsVerifiedAreTheHostsOwn: without a former simulation that counts there is nothing to go by.
func TestTheFiguresOfWhatIsVerifiedAreTheHostsOwn(t *testing.T) {
	h, p := drifted(t)
	path := filepath.Join(h.Parts.State, "plans", p.Digest(), "simulation.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), `\"moved\":41`, `\"moved\":14`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	job := h.Do(simulate(p))
	if job.State != proto.JobFailed || job.Receipt != nil || !strings.Contains(string(job.Error.Message), "does not count any more") {
		t.Errorf("%s, %v", job.State, job.Error)
	}
}

// TestNoRevisionNoSimulation: unknown is not the same as unknown.
func TestNoRevisionNoSimulation(t *testing.T) {
	h := jobstest.NewHost(t)
	h.Release.Revision = ""
	job := h.Do(simulate(jobstest.Plan()))
	if job.State != proto.JobFailed || !strings.Contains(string(job.Error.Message), "gate 1") || len(job.Steps) == 0 || job.Stdout != 0 {
		t.Errorf("%s, %v", job.State, job.Error)
	}
}

// TestWhateverDriftsAndCrashes kills runners at random, lets people come at random, and simulates, approves
// and resolves as an operator would: each step is verified in the end, and none ran more often than it was told to.
func TestWhateverDriftsAndCrashes(t *testing.T) {
	anew := 0
	for seed := range uint64(40) {
		random := rand.New(rand.NewPCG(seed, 5))
		h, p := jobstest.NewHost(t), jobstest.Plan()
		h.Approve(p)
		kills := true
		k := &killer{kill: func() bool { return kills && random.IntN(12) == 0 }}
		k.arm(h)
		words := map[plan.StepID]int{}
		var job proto.Job
		for round := 0; round < 30 && (job.Kind != proto.KindApply || job.State != proto.JobSucceeded); round++ {
			if random.IntN(3) == 0 {
				h.World.Add([]int64{jobstest.CHU75.ID, jobstest.CPH.ID}[random.IntN(2)], "", 1)
			}
			args := apply(p)
			for _, step := range standing(t, h, p) {
				if waiting(step.State) {
					args.Resolve = append(args.Resolve, proto.Resolution{Step: step.Step, As: proto.ResolveRerun, Reason: "crash"})
					words[step.Step]++
				}
			}
			job = k.toTheEnd(t, args)
			if job.State == proto.JobFailed && job.Error.Code == proto.CodeGate {
				kills = false
				approve(t, h, h.Simulate(p))
				kills = true
				anew++
			}
			for _, step := range p.Steps() {
				if n := h.Engine.Reals(step.Step); n > 1+words[step.ID] {
					t.Fatalf("seed %d: step %s was run %d times, with %d words", seed, step.ID, n, words[step.ID])
				}
			}
		}
		if job.State != proto.JobSucceeded && !applied(t, h, p) {
			t.Errorf("seed %d: %s %s, %v", seed, job.State, states(job), job.Error)
		}
		if got := counts(h.World); got[1] != 41 {
			t.Errorf("seed %d: %v", seed, got)
		}
	}
	if anew < 10 {
		t.Errorf("only %d simulations anew", anew)
	}
}

func waiting(state proto.StepState) bool {
	return state == proto.StepInterrupted || state == proto.StepUnverified || state == proto.StepFailed
}

// standing is where the steps of a plan are, as the host tells it.
func standing(t *testing.T, h *jobstest.Host, p plan.Plan) []proto.JobStep {
	t.Helper()
	status, err := h.Service.PlanStatus(t.Context(), proto.PlanStatusArgs{Plan: p})
	if err != nil {
		t.Fatal(err)
	}
	return status.Steps
}

func applied(t *testing.T, h *jobstest.Host, p plan.Plan) bool {
	t.Helper()
	status, err := h.Service.PlanStatus(t.Context(), proto.PlanStatusArgs{Plan: p})
	return err == nil && status.Applied != nil
}

// toTheEnd starts a job, with a runner after the other until one is not killed; what the host refuses is a job that failed.
func (k *killer) toTheEnd(t *testing.T, args proto.JobStartArgs) proto.Job {
	t.Helper()
	args.ID = k.h.NewID()
	if _, err := k.h.Start(args); err != nil {
		var refusal *proto.Error
		if !errors.As(err, &refusal) {
			t.Fatal(err)
		}
		return proto.Job{Kind: args.Kind, State: proto.JobFailed, Error: refusal, Created: time.Now()}
	}
	for k.run(t, args.ID) {
	}
	k.h.Engine.SetAlive(args.ID, false)
	return k.h.Job(args.ID)
}
