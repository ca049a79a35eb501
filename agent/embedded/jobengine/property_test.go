package jobengine_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"syscall"
	"testing"

	"github.com/re-connect/rpctl/agent/internal/jobs/jobstest"
	app "github.com/re-connect/rpctl/lab/app/console"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

func TestMain(m *testing.M) {
	if app.Is(os.Args[1:]) {
		syscall.Exit(app.Main(os.Args[1:], os.Stdout, os.Stderr)) // os.Exit waits a second under the race detector
	}
	os.Exit(m.Run())
}

// randomSeed is four centres with people in households, some of them deleted.
func randomSeed(random *rand.Rand) app.Seed {
	seed := app.Seed{Fields: []string{app.Slug}}
	id := int64(0)
	for centre := int64(1); centre <= 4; centre++ {
		seed.Centres = append(seed.Centres, app.Centre{ID: centre, Name: fmt.Sprintf("Centre %d", centre)})
		for range random.IntN(12) {
			household := id + 1
			value := []string{"", "a", "b", "c"}[random.IntN(4)]
			deleted := random.IntN(8) == 0
			for member := range 1 + random.IntN(3) {
				id++
				person := app.Individual{ID: id, Centre: centre, Household: household, Principal: member == 0, Deleted: deleted}
				if value != "" && (member == 0 || random.IntN(2) == 0) {
					person.Values = map[string]string{app.Slug: value}
				}
				seed.Individuals = append(seed.Individuals, person)
			}
		}
	}
	return seed
}

// randomPlan is a plan of up to four steps that nobody refuses.
func randomPlan(random *rand.Rand) plan.Plan {
	for {
		p := plan.Plan{Version: 1, Ticket: "t", Centre: "c"}
		for range 1 + random.IntN(4) {
			step := plan.Step{Origin: randomCentre(random), Destination: randomCentre(random), WithDeleted: random.IntN(4) == 0}
			if step.NoField = random.IntN(6) == 0; !step.NoField {
				step.Field, step.Value = app.Slug, []string{"a", "b", "c"}[random.IntN(3)]
			}
			if last := len(p.Groups) - 1; last >= 0 && random.IntN(2) == 0 {
				p.Groups[last].Steps = append(p.Groups[last].Steps, step)
			} else {
				p.Groups = append(p.Groups, plan.Group{Steps: []plan.Step{step}})
			}
		}
		if !plan.Refused(plan.Check(p)) {
			return p
		}
	}
}

func randomCentre(random *rand.Rand) plan.Centre {
	id := 1 + random.Int64N(4)
	return plan.Centre{ID: id, Name: fmt.Sprintf("Centre %d", id)}
}

// TestRandomPlans: what was forecast from the dry runs is what the real runs do, to the person.
func TestRandomPlans(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(seed, 1))
			m, p := newMachine(t, randomSeed(random), random), randomPlan(random)
			simulation := m.approve(p)
			id := m.newID()
			_, err := m.service.Start(t.Context(), proto.JobStartArgs{ID: id, Kind: proto.KindApply, Plan: p}, jobstest.Caller)
			m.must(err)
			if job := m.ended(id, nil); job.State != proto.JobSucceeded {
				t.Fatalf("%s: %v\n%+v", job.State, job.Error, p)
			}
			check(t, m, p, simulation, nil)
		})
	}
}

// TestRandomCrashes: runners are killed at their writes and while a command runs, commands die in
// the middle, the host loses power; the operator says `rerun` to whatever waits for a word. Whatever
// the order, no step runs once more than was asked for, nobody is moved twice, and what the host
// says of a step is what the application's own data say.
func TestRandomCrashes(t *testing.T) {
	for seed := range uint64(10) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(seed, 2))
			m, p := newMachine(t, randomSeed(random), random), randomPlan(random)
			simulation := m.approve(p)
			asked := map[plan.StepID]int{}
			for round := 0; !done(check(t, m, p, simulation, asked)); round++ {
				if round == 30 {
					t.Fatal("the plan is not finished in 30 jobs")
				}
				m.misfortune(round < 6)
				m.applyOnce(p, asked)
			}
		})
	}
}

// misfortune decides what befalls the next job.
func (m *machine) misfortune(any bool) {
	m.t.Helper()
	knobs := app.Knobs{Batch: 2}
	if any {
		knobs.PauseAt, knobs.ExitAt = m.number(6), m.number(9)
	}
	m.turn(knobs)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.deadly = any
}

// applyOnce is one job, with the operator's word on every step that waits for one.
func (m *machine) applyOnce(p plan.Plan, asked map[plan.StepID]int) {
	m.t.Helper()
	args := proto.JobStartArgs{ID: m.newID(), Kind: proto.KindApply, Plan: p}
	for _, step := range m.standing(p) {
		if needsWord(step.State) {
			args.Resolve = append(args.Resolve, proto.Resolution{Step: step.Step, As: proto.ResolveRerun, Reason: "crash"})
			asked[step.Step]++
		}
	}
	start := func() {
		_, err := m.service.Start(m.t.Context(), args, jobstest.Caller)
		m.must(err)
	}
	start()
	m.ended(args.ID, func() {
		switch m.number(3) {
		case 0:
			m.powerCut()
		case 1:
			m.engine.KillRunner(args.ID)
			defer start() // somebody asks again: a new runner finds the command that still runs
		}
		m.unpause()
	})
}

func needsWord(state proto.StepState) bool {
	return slices.Contains([]proto.StepState{proto.StepFailed, proto.StepInterrupted, proto.StepUnverified}, state)
}

func (m *machine) standing(p plan.Plan) []proto.JobStep {
	m.t.Helper()
	status, err := m.service.PlanStatus(m.t.Context(), proto.PlanStatusArgs{Plan: p})
	m.must(err)
	return status.Steps
}

func done(steps []proto.JobStep) bool {
	return !slices.ContainsFunc(steps, func(s proto.JobStep) bool { return s.State != proto.StepVerified })
}

// check holds what the host says of a plan's steps to what the application says, and returns it.
func check(t *testing.T, m *machine, p plan.Plan, simulation proto.Simulation, asked map[plan.StepID]int) []proto.JobStep {
	t.Helper()
	told, steps := m.effects(), m.standing(p)
	for i, step := range p.Steps() {
		runs := map[string]bool{}
		for _, run := range told.Real() {
			if slices.Equal(run.Args, step.Args(false)) {
				runs[run.Run] = true
			}
		}
		moved := map[int64]int64{}
		for _, effect := range told.Effects {
			if runs[effect.Run] && effect.Kind == "moved" {
				moved[effect.Subject]++
			}
		}
		state, want := steps[i], simulation.Steps[i].Forecast.Moved
		if len(runs) > 1+asked[step.ID] {
			t.Errorf("step %s ran %d times, asked for %d", step.ID, len(runs), 1+asked[step.ID])
		}
		for person, times := range moved {
			if times > 1 {
				t.Errorf("step %s moved %d %d times", step.ID, person, times)
			}
		}
		n := int64(len(moved))
		switch {
		case state.State == proto.StepVerified && n != want:
			t.Errorf("step %s is verified, and %d of %d were moved", step.ID, n, want)
		case needsWord(state.State) && state.Remaining != nil && n+*state.Remaining != want:
			t.Errorf("step %s is %s with %d left, and %d of %d were moved", step.ID, state.State, *state.Remaining, n, want)
		case state.State != proto.StepVerified && !needsWord(state.State) && (n > 0 || len(runs) > 0):
			t.Errorf("step %s is %s, and %d runs moved %d people", step.ID, state.State, len(runs), n)
		}
	}
	return steps
}
