package hostile_test

import (
	"slices"
	"testing"

	"github.com/re-connect/rpctl/lab/app/console"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

// stoppedInTheMiddle lets prod verify the first step and stop before the second: somebody else would move, too.
func stoppedInTheMiddle(t *testing.T) *liar {
	t.Helper()
	l := newLiar(t)
	if _, err := l.lab.RunConsole(t.Context(), "prod", console.CommandSetField, "--", alone(console.CHU75)[0], console.Slug, "CPH"); err != nil {
		t.Fatal(err)
	}
	job := l.finished(t, prod, l.started(t, prod, l.start(t)))
	if job.State != proto.JobFailed || job.Steps[0].State != proto.StepVerified || job.Steps[1].State != proto.StepStopped {
		t.Fatalf("%s, %+v, %v", job.State, job.Steps, job.Error)
	}
	return l
}

// begun are the lies of who would get what is left of a plan past the gates, once it was simulated anew.
var begun = []attempt{
	start("with the approval of before", func(*testing.T, *liar, *proto.JobStartArgs) {}, "gate 3 (approval) is closed: the figures changed"),
	{"the approval of before, again", func(_ *testing.T, l *liar) error {
		return l.ask(prod, proto.OpApprove, proto.ApproveArgs{Approval: l.approval}, nil)
	}, proto.CodeGate, "its figures are not those of the simulation"},
	{"an approval of figures that say everything is done", func(t *testing.T, l *liar) error {
		return l.ask(prod, proto.OpApprove, proto.ApproveArgs{Approval: sign(t, l.claire, proto.NamespaceApproval, l.approvalOf(t, l.doneAlready(t)))}, nil)
	}, proto.CodeGate, "its figures are not those of the simulation"},
	{"a simulation that is told what is done", func(_ *testing.T, l *liar) error {
		return l.say(prod, `{"id":1,"protocol":1,"op":"job-start","environment":"prod","args":{"id":"abcdefgh","kind":"simulate","steps":[{"step":"1.2","state":"verified"}],"plan":{}}}`, nil)
	}, proto.CodeUnsupported, "steps"},
	{"a simulation with a word", func(_ *testing.T, l *liar) error {
		return l.ask(prod, proto.OpJobStart, proto.JobStartArgs{ID: l.newID(), Kind: proto.KindSimulate, Plan: l.plan,
			Resolve: []proto.Resolution{{Step: "1.2", As: proto.ResolveDone, Reason: "I say so"}}}, nil)
	}, proto.CodeBadRequest, "needs no resolution"},
	start("the verified step, resolved to run again", func(_ *testing.T, _ *liar, args *proto.JobStartArgs) {
		args.Resolve = []proto.Resolution{{Step: "1.1", As: proto.ResolveRerun, Reason: "I say so"}}
	}, "gate 3 (approval)"),
	{"a plan of the steps that are left", func(t *testing.T, l *liar) error {
		args := l.start(t)
		args.Plan.Groups = []plan.Group{{Steps: args.Plan.Groups[0].Steps[1:]}, args.Plan.Groups[1]}
		return l.ask(prod, proto.OpJobStart, l.intended(t, args, nil), nil)
	}, proto.CodeGate, "gate 1 (simulation) is closed: this plan was not simulated"},
}

// doneAlready is prod's simulation with every step called done, signed by another host.
func (l *liar) doneAlready(t *testing.T) proto.Signed {
	t.Helper()
	var s proto.Simulation
	if err := proto.DecodeStrict([]byte(l.simulation.Body), &s); err != nil {
		t.Fatal(err)
	}
	for i := range s.Steps {
		s.Steps[i].Done = true
	}
	return sign(t, l.preprodKey, proto.NamespaceSimulation, s)
}

// TestNothingPassesInTheMiddle tries the lies on a prod that has begun the plan and simulated what is left of it. In
// the end the honest way is open, with preprod's receipt of the very plan, and no step has run twice.
func TestNothingPassesInTheMiddle(t *testing.T) {
	l := stoppedInTheMiddle(t)
	anew := l.simulated(t, prod, l.plan)
	before := l.jobsOf(t, prod)
	for _, a := range begun {
		t.Run(a.name, func(t *testing.T) {
			refusedWith(t, a.tell(t, l), a.code, a.words)
			if after := l.jobsOf(t, prod); !slices.Equal(before, after) {
				t.Fatalf("there are jobs now: %v", after)
			}
			if told := l.effects(t, "prod"); len(told.Real()) != 1 || len(told.Moves()) != 41 {
				t.Fatalf("the application was changed: %+v", told.Real())
			}
		})
	}
	l.approve(t, prod, anew)
	args := l.start(t)
	args.Resolve = []proto.Resolution{{Step: "1.1", As: proto.ResolveRerun, Reason: "I say so"}}
	refusedWith(t, l.ask(prod, proto.OpJobStart, l.intended(t, args, nil), nil), proto.CodeGate, "gate 8 (unresolved) is closed: step 1.1 needs no resolution")
	if job := l.finished(t, prod, l.started(t, prod, l.start(t))); job.State != proto.JobSucceeded {
		t.Errorf("the honest start: %s, %v", job.State, job.Error)
	}
	onceEach(t, l, "prod", 3, 41+11+21)
}
