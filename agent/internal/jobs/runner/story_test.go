package runner_test

import (
	"strings"
	"testing"

	"github.com/re-connect/rpctl/agent/internal/audit"
	"github.com/re-connect/rpctl/agent/internal/gates"
	"github.com/re-connect/rpctl/agent/internal/jobs/console"
	"github.com/re-connect/rpctl/agent/internal/jobs/jobstest"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

// states is a job's steps in short.
func states(job proto.Job) string {
	var words []string
	for _, step := range job.Steps {
		words = append(words, string(step.State))
	}
	return strings.Join(words, " ")
}

func apply(p plan.Plan) proto.JobStartArgs {
	return proto.JobStartArgs{Kind: proto.KindApply, Plan: p}
}

// counts is the three centres' totals.
func counts(w *jobstest.World) [3]int {
	return [3]int{w.Count(jobstest.CHU75.ID), w.Count(jobstest.CHU77.ID), w.Count(jobstest.CPH.ID)}
}

var (
	before = [3]int{160, 0, 180}
	after  = [3]int{130, 41, 169}
)

func TestSimulateApproveApply(t *testing.T) {
	h, p := jobstest.NewHost(t), jobstest.Plan()
	h.Approve(p)
	if counts(h.World) != before {
		t.Fatalf("a simulation changed the data: %v", counts(h.World))
	}
	job := h.Do(apply(p))
	if job.State != proto.JobSucceeded || states(job) != "verified verified verified" || counts(h.World) != after {
		t.Fatalf("%s (%v), %s, %v", job.State, job.Error, states(job), counts(h.World))
	}
	var applied proto.Applied
	if err := proto.DecodeStrict([]byte(job.Receipt.Body), &applied); err != nil || applied.Plan != p.Digest() || len(applied.Steps) != 3 || applied.Job != job.ID {
		t.Errorf("%+v, %v", applied, err)
	}
	if _, err := h.Start(proto.JobStartArgs{ID: h.NewID(), Kind: proto.KindApply, Plan: p}); err == nil || !strings.Contains(err.Error(), "gate 6") {
		t.Errorf("a plan that is applied: %v", err)
	}
	entries, err := audit.New(h.Parts.State).Last(99)
	var actions []string
	for _, e := range entries {
		actions = append(actions, e.Action)
	}
	want := "job job-end approve job step step-end step step-end step step-end job-end"
	if err != nil || strings.Join(actions, " ") != want {
		t.Errorf("audit %v, %v", actions, err)
	}
}

func TestSimulationRefusesWhatItCannotReadForCertain(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*jobstest.Host)
		want   string
	}{
		"another name": {func(h *jobstest.Host) { h.World.Names[jobstest.CPH.ID] = "CPH (fermé)" }, "the console says 4960"},
		"no tables":    {func(h *jobstest.Host) { h.Engine.Script = printing("nothing\x1b[2J") }, `ends with: “nothing\x1b[2J`},
		"status 1": {func(h *jobstest.Host) {
			h.Engine.Script = ending(console.End{Result: "exit-code", Code: "exited", Status: "1"})
		}, "status 1"},
		"not started": {func(h *jobstest.Host) { h.Engine.Script = always(jobstest.Fault{Refused: true}) }, "not started"},
		"no record":   {func(h *jobstest.Host) { h.Engine.Script = always(jobstest.Fault{NoEnd: true}) }, "no record"},
		"totals disagree": {func(h *jobstest.Host) {
			h.Engine.Script = always(jobstest.Fault{Before: func() { h.World.Add(jobstest.CHU75.ID, "", 1) }})
		}, "the data changed in between"},
		"deployed between": {func(h *jobstest.Host) {
			h.Engine.Script = always(jobstest.Fault{Before: func() { h.Release.Revision = "def" }})
		}, "is \"def\" now"},
		"too long": {func(h *jobstest.Host) { h.Engine.Script = printing(strings.Repeat("x", 17<<20)) }, "longer than 16 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			h := jobstest.NewHost(t)
			c.change(h)
			job := h.Do(proto.JobStartArgs{Kind: proto.KindSimulate, Plan: jobstest.Plan()})
			if job.State != proto.JobFailed || job.Receipt != nil || job.Error == nil || !strings.Contains(string(job.Error.Message), c.want) {
				t.Errorf("%s, %v", job.State, job.Error)
			}
		})
	}
}

func always(fault jobstest.Fault) func(console.Spec) jobstest.Fault {
	return func(console.Spec) jobstest.Fault { return fault }
}

func printing(text string) func(console.Spec) jobstest.Fault {
	return always(jobstest.Fault{Output: text})
}

func ending(end console.End) func(console.Spec) jobstest.Fault {
	return always(jobstest.Fault{End: &end})
}

// real is a fault of the n-th real command, from 1.
func real(n int, fault jobstest.Fault) func(console.Spec) jobstest.Fault {
	seen := 0
	return func(spec console.Spec) jobstest.Fault {
		if spec.DryRun {
			return jobstest.Fault{}
		}
		if seen++; seen == n {
			return fault
		}
		return jobstest.Fault{}
	}
}

// TestDriftStopsBeforeTheStep: a person who came meanwhile, one tolerance below and one at it.
func TestDriftStopsBeforeTheStep(t *testing.T) {
	for _, c := range []struct {
		tolerance, come int64
		stopped         bool
	}{{0, 1, true}, {1, 1, false}, {1, 2, true}} {
		h, p := jobstest.NewHost(t), jobstest.Plan()
		h.Parts.Config.Console.Tolerance = c.tolerance
		h.Approve(p)
		h.World.Add(jobstest.CHU75.ID, "CPH", int(c.come))
		job := h.Do(apply(p))
		stopped := job.State == proto.JobFailed && job.Error.Code == proto.CodeGate && job.Error.Gate == gates.Drift && job.Steps[0].Gate == gates.Drift &&
			strings.HasPrefix(states(job), "stopped") && h.Engine.Reals(p.Groups[0].Steps[0]) == 0
		if stopped != c.stopped || !c.stopped && job.State != proto.JobSucceeded {
			t.Errorf("tolerance %d, %d more: %s %s, %v", c.tolerance, c.come, job.State, states(job), job.Error)
		}
	}
}

func TestDriftInTheMiddleKeepsWhatIsVerified(t *testing.T) {
	h, p := jobstest.NewHost(t), jobstest.Plan()
	h.Approve(p)
	dry := 0
	h.Engine.Script = func(spec console.Spec) jobstest.Fault {
		if spec.DryRun {
			dry++
		}
		if dry == 3 { // the check of the second step
			return jobstest.Fault{Before: func() { h.World.Add(jobstest.CPH.ID, "CHU 75", 1) }}
		}
		return jobstest.Fault{}
	}
	job := h.Do(apply(p))
	if job.State != proto.JobFailed || states(job) != "verified stopped simulated" || job.Error.Gate != gates.Drift || job.Steps[0].Gate != 0 || job.Steps[1].Gate != gates.Drift {
		t.Errorf("%s %s, %v", job.State, states(job), job.Error)
	}
	if h.Engine.Reals(p.Groups[0].Steps[1]) != 0 {
		t.Error("the step was run")
	}
}

// TestOtherAccommodationsStopTheStep: the people are those of the simulation, and they live elsewhere.
func TestOtherAccommodationsStopTheStep(t *testing.T) {
	for _, c := range []struct {
		tolerance int64
		lived     int
		stopped   bool
	}{{0, 4, true}, {0, 2, true}, {1, 4, false}, {1, 5, true}} {
		h, p := jobstest.NewHost(t), jobstest.Plan()
		h.Parts.Config.Console.Tolerance = c.tolerance
		p.Groups[0].Steps[1].WithAccommodations = true
		h.Approve(p)
		h.World.Lived = c.lived
		job := h.Do(apply(p))
		stopped := states(job) == "verified stopped simulated" && strings.Contains(string(job.Error.Message), "accommodations would move, the forecast says 3")
		if stopped != c.stopped || !c.stopped && job.State != proto.JobSucceeded {
			t.Errorf("tolerance %d, %d accommodations: %s, %v", c.tolerance, c.lived, states(job), job.Error)
		}
		if stopped {
			h.Approve(p) // what is left is simulated anew
			if job := h.Do(apply(p)); job.State != proto.JobSucceeded {
				t.Errorf("after a new simulation: %s, %v", states(job), job.Error)
			}
		}
	}
}

// TestNewConflictStopsTheStep: nobody has decided about an accommodation that the simulation did not show.
func TestNewConflictStopsTheStep(t *testing.T) {
	h, p := jobstest.NewHost(t), jobstest.Plan()
	p.Groups[0].Steps[0].WithAccommodations = true
	h.Approve(p)
	h.World.Conflicts[jobstest.CHU75.ID] = []string{"4537", "892", "1042, 1078", "1035"}
	job := h.Do(apply(p))
	if job.State != proto.JobFailed || !strings.Contains(string(job.Error.Message), "accommodation 892") || counts(h.World) != before {
		t.Errorf("%s, %v", job.State, job.Error)
	}
}

// TestAnotherReleaseStopsTheStep: gate 1 and 5 hold within a job, too.
func TestAnotherReleaseStopsTheStep(t *testing.T) {
	h, p := jobstest.NewHost(t), jobstest.Plan()
	h.Approve(p)
	h.Engine.Script = real(1, jobstest.Fault{Before: func() { h.Release.Revision = "def" }})
	job := h.Do(apply(p))
	if states(job) != "verified stopped simulated" || !strings.Contains(string(job.Error.Message), `is "def" now`) {
		t.Errorf("%s, %v", states(job), job.Error)
	}
}

func TestRunnerJudgesAgain(t *testing.T) {
	h, p := jobstest.NewHost(t), jobstest.Plan()
	h.Approve(p)
	id := h.NewID()
	if _, err := h.Start(proto.JobStartArgs{ID: id, Kind: proto.KindApply, Plan: p}); err != nil {
		t.Fatal(err)
	}
	h.Claire = jobstest.NewSigner(t, "claire") // her key was taken out of the file
	job := h.Finish(id)
	if job.State != proto.JobFailed || !strings.Contains(string(job.Error.Message), "gate 3") || counts(h.World) != before {
		t.Errorf("%s, %v", job.State, job.Error)
	}
}

func resolved(p plan.Plan, step plan.StepID, as string) proto.JobStartArgs {
	args := apply(p)
	args.Resolve = []proto.Resolution{{Step: step, As: as, Reason: "seen with Claire"}}
	return args
}
