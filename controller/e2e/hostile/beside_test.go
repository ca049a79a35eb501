package hostile_test

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/re-connect/rpctl/lab/app/console"
	"github.com/re-connect/rpctl/lab/filewatch"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

// TestNoSecondJobBesideTheFirst holds the first job in the middle of its first step and tries
// everything to get a second one to run.
func TestNoSecondJobBesideTheFirst(t *testing.T) {
	l := newLiar(t)
	l.turn(t, "prod", console.Knobs{PauseAt: 13})
	first := l.start(t)
	l.started(t, prod, first)
	paused := filepath.Join(l.lab.Application("prod"), "shared/var/migration-paused")
	err := filewatch.Wait(t.Context(), filepath.Dir(paused), func() bool {
		_, err := os.Stat(paused)
		return err == nil
	})
	if err != nil {
		t.Fatalf("the first step does not come to its middle: %v", err)
	}
	for name, a := range map[string]attempt{
		"another id":            start("", func(*testing.T, *liar, *proto.JobStartArgs) {}, "gate 7 (alone)"),
		"the same id, resolved": taken(func(args *proto.JobStartArgs) { args.BreakGlass = "friday" }),
		"the same id, less": taken(func(args *proto.JobStartArgs) {
			args.Plan.Groups = args.Plan.Groups[:1]
		}),
		"the same id, simulated": taken(func(args *proto.JobStartArgs) {
			*args = proto.JobStartArgs{ID: args.ID, Kind: proto.KindSimulate, Plan: args.Plan}
		}),
		"the word that the first is done": start("", func(_ *testing.T, _ *liar, args *proto.JobStartArgs) {
			args.Resolve = []proto.Resolution{{Step: "1.1", As: proto.ResolveDone, Reason: "I say so"}}
		}, "gate 7 (alone)"),
		"a simulation": {"", func(_ *testing.T, l *liar) error {
			return l.ask(prod, proto.OpJobStart, proto.JobStartArgs{ID: l.newID(), Kind: proto.KindSimulate, Plan: l.other}, nil)
		}, proto.CodeGate, "gate 7 (alone)"},
		"a deploy": {"", func(_ *testing.T, l *liar) error {
			return l.ask(prod, proto.OpLease, map[string]string{"purpose": "deploy"}, nil)
		}, proto.CodeLeaseHeld, string(first.ID)},
	} {
		t.Run(name, func(t *testing.T) {
			refusedWith(t, a.tell(t, l), a.code, a.words)
		})
	}
	// The same id with the same content is the same job, and starts nothing.
	l.started(t, prod, first)
	if told := l.effects(t, "prod"); len(told.Real()) != 1 || len(told.Moves()) != 10 {
		t.Errorf("%d real runs, %d people, before row 13 in batches of 5", len(told.Real()), len(told.Moves()))
	}
	l.turn(t, "prod", console.Knobs{})
	if job := l.finished(t, prod, first.ID); job.State != proto.JobSucceeded {
		t.Errorf("the first job: %s, %v", job.State, job.Error)
	}
	onceEach(t, l, "prod", 3, 41+10+21)
}

// taken is the first job's id with other content.
func taken(change func(*proto.JobStartArgs)) attempt {
	return attempt{"", func(t *testing.T, l *liar) error {
		args := l.start(t)
		args.ID = l.jobsOf(t, prod)[0]
		change(&args)
		if args.Intent != nil {
			args = l.intended(t, args, nil)
		}
		return l.ask(prod, proto.OpJobStart, args, nil)
	}, proto.CodeJob, "taken by another job"}
}

// onceEach holds the application to so many real runs that moved so many people, each once.
func onceEach(t *testing.T, l *liar, environment string, runs, people int) {
	t.Helper()
	told := l.effects(t, environment)
	seen := map[string]bool{}
	for _, run := range told.Real() {
		seen[strings.Join(run.Args, " ")] = true
	}
	if len(told.Real()) != runs || len(seen) != runs {
		t.Errorf("real runs: %v", told.Real())
	}
	moves := told.Moves()
	for person, times := range moves {
		if times != 1 {
			t.Errorf("%d was moved %d times", person, times)
		}
	}
	if len(moves) != people {
		t.Errorf("%d people were moved, want %d", len(moves), people)
	}
}

// TestManyStartsAtOnce sends honest starts of the same plan, each for itself, at the same time.
func TestManyStartsAtOnce(t *testing.T) {
	l := newLiar(t)
	starts := make([]proto.JobStartArgs, 8)
	for i := range starts {
		starts[i] = l.start(t)
	}
	answers := make([]error, len(starts))
	var wait sync.WaitGroup
	for i := range starts {
		wait.Go(func() { answers[i] = l.ask(prod, proto.OpJobStart, starts[i], nil) })
	}
	wait.Wait()
	for i, err := range answers {
		if err == nil {
			l.finished(t, prod, starts[i].ID)
		}
	}
	onceEach(t, l, "prod", 3, 41+10+21)
}

// TestValuesAreNeverOptions simulates and applies steps whose value looks like anything but one:
// the console gets it as one argument with its option, compares it with the field, and moves the
// one person who has it.
func TestValuesAreNeverOptions(t *testing.T) {
	l := newLiar(t)
	people := alone(console.CPH)
	for i, value := range []string{"--noField", "--dry-run", "-o4537", "--", "-", "; rm -rf /", "$(id)", "`id`", "a'b\"c", "*", "=", "%s%n", "東京"} {
		t.Run(value, func(t *testing.T) {
			if _, err := l.lab.RunConsole(t.Context(), "preprod", console.CommandSetField, "--", people[i], console.Slug, value); err != nil {
				t.Fatal(err)
			}
			p := smallPlan()
			first(&p).Value = value
			before := l.effects(t, "preprod")
			l.applied(t, p)
			after := l.effects(t, "preprod")
			if got := len(after.Effects) - len(before.Effects); got != 1 {
				t.Errorf("%d people were moved", got)
			}
			for _, run := range after.Runs[len(before.Runs):] {
				want := first(&p).Args(run.DryRun)
				if !slices.Equal(run.Args, want) || !slices.Contains(run.Args, "--targetFieldValue="+value) {
					t.Errorf("the console got %q", run.Args)
				}
			}
		})
	}
}

// TestWhatIsNoValueGoesNowhere holds that a plan with something else than text is refused before anything runs.
func TestWhatIsNoValueGoesNowhere(t *testing.T) {
	l := newLiar(t)
	before := l.effects(t, "preprod")
	for name, change := range map[string]func(*plan.Step){
		"a newline":               func(s *plan.Step) { s.Value = "x\n--noField" },
		"a NUL":                   func(s *plan.Step) { s.Value = "x\x00--noField" },
		"a carriage return":       func(s *plan.Step) { s.Value = "x\r" },
		"an escape sequence":      func(s *plan.Step) { s.Value = "\x1b[2J" },
		"text turned around":      func(s *plan.Step) { s.Value = "x\u202ey" },
		"a separator of lines":    func(s *plan.Step) { s.Value = "x\u2028y" },
		"nothing":                 func(s *plan.Step) { s.Value = "" },
		"too much":                func(s *plan.Step) { s.Value = strings.Repeat("x", 501) },
		"an option as a field":    func(s *plan.Step) { s.Field = "--noField" },
		"a blank in a field":      func(s *plan.Step) { s.Field = "a --noField" },
		"a name over two lines":   func(s *plan.Step) { s.Origin.Name = "a\nb" },
		"a centre below nothing":  func(s *plan.Step) { s.Origin.ID = -1 },
		"everybody with a field":  func(s *plan.Step) { s.NoField = true },
		"to where they come from": func(s *plan.Step) { s.Destination = s.Origin },
	} {
		t.Run(name, func(t *testing.T) {
			p := smallPlan()
			change(first(&p))
			err := l.ask(preprod, proto.OpJobStart, proto.JobStartArgs{ID: l.newID(), Kind: proto.KindSimulate, Plan: p}, nil)
			refusedWith(t, err, proto.CodeBadRequest, "the plan's groups[0].steps[0]")
		})
	}
	line := `{"id":1,"protocol":1,"op":"job-start","environment":"preprod","args":{"id":"abcdefgh","kind":"simulate","plan":{"version":1,"ticket":"x` + "\xff" + `"}}}`
	if err := l.say(preprod, line, nil); err == nil {
		t.Error("a plan that is no UTF-8 was read")
	}
	if after := l.effects(t, "preprod"); len(after.Runs) != len(before.Runs) {
		t.Errorf("the console was run: %+v", after.Runs[len(before.Runs):])
	}
}

// alone are people of a centre without a value and with a household of their own.
func alone(centre int64) []string {
	seed := console.Runbook()
	members := map[int64]int{}
	for _, person := range seed.Individuals {
		members[person.Household]++
	}
	var found []string
	for _, person := range seed.Individuals {
		if person.Centre == centre && person.Values == nil && members[person.Household] == 1 {
			found = append(found, strconv.FormatInt(person.ID, 10))
		}
	}
	return found
}
