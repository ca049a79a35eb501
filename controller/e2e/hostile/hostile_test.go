// Package hostile_test speaks the protocol and lies. Each test brings a plan honestly as far as
// it goes, tries everything to get past one of the host's gates, and believes the
// application's own data about what came of it.
package hostile_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/re-connect/rpctl/lab/app/console"
	"github.com/re-connect/rpctl/lab/inprocess"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

func TestMain(m *testing.M) {
	inprocess.RunApp()
	os.Exit(m.Run())
}

// attempt is a lie, and the refusal that it must meet.
type attempt struct {
	name  string
	tell  func(t *testing.T, l *liar) error
	code  proto.Code
	words string
}

// start changes an honest start of the apply in prod; the intent is signed before.
func start(name string, change func(t *testing.T, l *liar, args *proto.JobStartArgs), words string) attempt {
	return attempt{name, func(t *testing.T, l *liar) error {
		args := l.start(t)
		change(t, l, &args)
		return l.ask(prod, proto.OpJobStart, l.intended(t, args, nil), nil)
	}, proto.CodeGate, words}
}

// receipt starts the apply in prod with another receipt of preprod.
func receipt(name string, of func(t *testing.T, l *liar) proto.Signed, words string) attempt {
	return start(name, func(t *testing.T, l *liar, args *proto.JobStartArgs) {
		args.Receipts = []proto.Signed{of(t, l)}
	}, words)
}

// appliedAs is preprod's receipt with a change, signed by preprod's own key: honest in form, but of no use.
func appliedAs(change func(*proto.Applied)) func(t *testing.T, l *liar) proto.Signed {
	return func(t *testing.T, l *liar) proto.Signed {
		return sign(t, l.preprodKey, proto.NamespaceApplied, l.changed(t, change))
	}
}

// changed is what preprod's receipt says, changed.
func (l *liar) changed(t *testing.T, change func(*proto.Applied)) proto.Applied {
	t.Helper()
	var applied proto.Applied
	if err := proto.DecodeStrict([]byte(l.receipt.Body), &applied); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(&applied)
	}
	return applied
}

// relabelled is somebody's honest signature under a text of another purpose.
func relabelled(signed proto.Signed, namespace string) proto.Signed {
	signed.Namespace = namespace
	return signed
}

var receipts = []attempt{
	start("none", func(_ *testing.T, _ *liar, args *proto.JobStartArgs) { args.Receipts = nil }, "gate 4 (before)"),
	receipt("forged by a stranger", func(t *testing.T, l *liar) proto.Signed {
		return sign(t, l.eve, proto.NamespaceApplied, l.changed(t, nil))
	}, "is not accepted here"),
	receipt("signed by a developer", func(t *testing.T, l *liar) proto.Signed {
		return sign(t, l.developer, proto.NamespaceApplied, l.changed(t, nil))
	}, "is not accepted here"),
	receipt("edited", func(_ *testing.T, l *liar) proto.Signed {
		edited := l.otherReceipt
		edited.Body = strings.Replace(edited.Body, l.other.Digest(), l.plan.Digest(), 1)
		return edited
	}, "the text was changed"),
	receipt("signature of another", func(_ *testing.T, l *liar) proto.Signed {
		return proto.Signed{Namespace: proto.NamespaceApplied, Body: l.receipt.Body, Signature: l.otherReceipt.Signature}
	}, "the text was changed"),
	receipt("no signature", func(_ *testing.T, l *liar) proto.Signed {
		return proto.Signed{Namespace: proto.NamespaceApplied, Body: l.receipt.Body}
	}, "cannot be read"),
	receipt("of another plan", func(_ *testing.T, l *liar) proto.Signed { return l.otherReceipt }, "no receipt"),
	receipt("the simulation in its place", func(_ *testing.T, l *liar) proto.Signed { return l.simulatedAt }, "it was made for"),
	receipt("the simulation, relabelled", func(_ *testing.T, l *liar) proto.Signed {
		return relabelled(l.simulatedAt, proto.NamespaceApplied)
	}, "it was made for"),
	receipt("the approval, relabelled", func(_ *testing.T, l *liar) proto.Signed {
		return relabelled(l.approval, proto.NamespaceApplied)
	}, "it was made for"),
	receipt("a simulation signed as a receipt", func(t *testing.T, l *liar) proto.Signed {
		return signText(t, l.preprodKey, proto.NamespaceApplied, l.simulatedAt.Body)
	}, "is not understood"),
	receipt("a key twice", func(t *testing.T, l *liar) proto.Signed {
		body := strings.Replace(l.otherReceipt.Body, `"plan":`, `"plan":"`+l.plan.Digest()+`","plan":`, 1)
		return signText(t, l.preprodKey, proto.NamespaceApplied, body)
	}, "gate 4 (before)"),
	receipt("expired", appliedAs(func(a *proto.Applied) { a.Time, a.Expires = now().Add(-2*time.Hour), now().Add(-time.Hour) }), "has expired"),
	receipt("good for a hundred years", appliedAs(func(a *proto.Applied) {
		a.Time, a.Expires = now().Add(-31*24*time.Hour), now().Add(100*365*24*time.Hour)
	}), "has expired"),
	receipt("of the beginning of time", appliedAs(func(a *proto.Applied) { a.Time, a.Expires = time.Time{}, now().Add(time.Hour) }), "has expired"),
	receipt("of tomorrow", appliedAs(func(a *proto.Applied) { a.Time = now().Add(24 * time.Hour) }), "gate 10 (clock)"),
	receipt("of another host", appliedAs(func(a *proto.Applied) { a.Host = "rp-laptop" }), "speaks of host rp-laptop"),
	receipt("of another environment", appliedAs(func(a *proto.Applied) { a.Environment = "dev" }), "no receipt"),
	receipt("of prod", appliedAs(func(a *proto.Applied) { a.Environment = "prod" }), "no receipt"),
	receipt("of half a plan", appliedAs(func(a *proto.Applied) { a.Steps = a.Steps[:2] }), "not of all steps"),
	receipt("behind a broken glass", appliedAs(func(a *proto.Applied) { a.BreakGlass = "friday" }), "broken glass"),
}

// intent starts the apply in prod with another intent.
func intent(name string, by func(*liar) *proto.Signed, change func(*proto.Intent), words string) attempt {
	return attempt{name, func(t *testing.T, l *liar) error {
		args := l.intended(t, l.start(t), change)
		if by != nil {
			args.Intent = by(l)
		}
		return l.ask(prod, proto.OpJobStart, args, nil)
	}, proto.CodeGate, words}
}

var intents = []attempt{
	intent("none", func(*liar) *proto.Signed { return nil }, nil, "not signed by an operator"),
	{"of the approver", func(t *testing.T, l *liar) error {
		args := l.start(t)
		signed := signText(t, l.claire, proto.NamespaceIntent, args.Intent.Body)
		args.Intent = &signed
		return l.ask(prod, proto.OpJobStart, args, nil)
	}, proto.CodeGate, "claire approved the plan and cannot apply it too"},
	{"of a stranger", func(t *testing.T, l *liar) error {
		args := l.start(t)
		signed := signText(t, l.eve, proto.NamespaceIntent, args.Intent.Body)
		args.Intent = &signed
		return l.ask(prod, proto.OpJobStart, args, nil)
	}, proto.CodeGate, "is not accepted here"},
	{"of an earlier start", func(t *testing.T, l *liar) error {
		seen := l.start(t)
		args := l.start(t)
		args.Intent = seen.Intent
		return l.ask(prod, proto.OpJobStart, args, nil)
	}, proto.CodeGate, "signed for another job"},
	intent("the approval, relabelled", func(l *liar) *proto.Signed {
		signed := relabelled(l.approval, proto.NamespaceIntent)
		return &signed
	}, nil, "it was made for"),
	intent("for another job", nil, func(i *proto.Intent) { i.Job = "anotherjob" }, "another job"),
	intent("for another plan", nil, func(i *proto.Intent) { i.Plan = strings.Repeat("0", 64) }, "another job"),
	intent("for preprod", nil, func(i *proto.Intent) { i.Environment = "preprod" }, "another job"),
	intent("expired", nil, func(i *proto.Intent) { i.Time = now().Add(-proto.IntentLife - time.Second) }, "at another time"),
	intent("of tomorrow", nil, func(i *proto.Intent) { i.Time = now().Add(24 * time.Hour) }, "at another time"),
	intent("for other figures", nil, func(i *proto.Intent) { i.Figures = strings.Repeat("0", 64) }, "for other figures"),
	intent("for another approval", nil, func(i *proto.Intent) { i.Approval = strings.Repeat("0", 64) }, "for another approval"),
	intent("without the receipts", nil, func(i *proto.Intent) { i.Receipts = nil }, "with other receipts"),
	intent("in another's name", nil, func(i *proto.Intent) { i.Operator = "alice" }, "in another operator's name"),
	intent("for a word", nil, func(i *proto.Intent) {
		i.Resolve = []proto.Resolution{{Step: "1.1", As: proto.ResolveDone, Reason: "I say so"}}
	}, "with another word"),
	intent("with a reason for breaking the glass", nil, func(i *proto.Intent) { i.BreakGlass = "friday" }, "with another reason"),
	intent("of an older rpctl", nil, func(i *proto.Intent) {
		*i = proto.Intent{Kind: i.Kind, Environment: i.Environment, Plan: i.Plan, Job: i.Job, Time: i.Time}
	}, "older rpctl"),
	intent("of another kind", nil, func(i *proto.Intent) { i.Kind = "approval" }, "is no apply"),
}

// approving brings an approval to prod.
func approving(name string, of func(t *testing.T, l *liar) proto.Signed, words string) attempt {
	return attempt{name, func(t *testing.T, l *liar) error {
		return l.ask(prod, proto.OpApprove, proto.ApproveArgs{Approval: of(t, l)}, nil)
	}, proto.CodeGate, words}
}

// approvedAs is claire's approval with a change.
func approvedAs(change func(*proto.Approval)) func(t *testing.T, l *liar) proto.Signed {
	return func(t *testing.T, l *liar) proto.Signed {
		approval := l.approvalOf(t, l.simulation)
		change(&approval)
		return sign(t, l.claire, proto.NamespaceApproval, approval)
	}
}

var approvals = []attempt{
	approving("of a stranger", func(t *testing.T, l *liar) proto.Signed {
		return sign(t, l.eve, proto.NamespaceApproval, l.approvalOf(t, l.simulation))
	}, "is not accepted here"),
	approving("of preprod, replayed", func(_ *testing.T, l *liar) proto.Signed { return l.onlyPreprod }, "for environment"),
	approving("edited for prod", func(_ *testing.T, l *liar) proto.Signed {
		edited := l.onlyPreprod
		edited.Body = l.approval.Body
		return edited
	}, "the text was changed"),
	approving("of other figures", approvedAs(func(a *proto.Approval) { a.Figures = strings.Repeat("0", 64) }), "not those of the simulation"),
	approving("of a plan that nobody simulated", approvedAs(func(a *proto.Approval) { a.Plan = strings.Repeat("0", 64) }), "was not simulated"),
	approving("for a hundred years", approvedAs(func(a *proto.Approval) { a.Expires = now().AddDate(100, 0, 0) }), "longer than the 7 days"),
	approving("expired", approvedAs(func(a *proto.Approval) { a.Time, a.Expires = now().Add(-2*time.Hour), now().Add(-time.Hour) }), "expired"),
	approving("of tomorrow", approvedAs(func(a *proto.Approval) { a.Time, a.Expires = now().Add(24*time.Hour), now().Add(48*time.Hour) }), "future"),
	approving("the receipt, relabelled", func(_ *testing.T, l *liar) proto.Signed { return relabelled(l.receipt, proto.NamespaceApproval) }, "it was made for"),
	approving("of the host itself", func(t *testing.T, l *liar) proto.Signed {
		return sign(t, l.preprodKey, proto.NamespaceApproval, l.approvalOf(t, l.simulation))
	}, "is not accepted here"),
	{"by whoever applies it", func(t *testing.T, l *liar) error {
		approval := l.approvalOf(t, l.simulation)
		approval.By = "developer"
		own := sign(t, l.developer, proto.NamespaceApproval, approval)
		if err := l.ask(prod, proto.OpApprove, proto.ApproveArgs{Approval: own}, nil); err != nil {
			t.Fatal(err)
		}
		defer l.approve(t, prod, l.simulation)
		return l.ask(prod, proto.OpJobStart, l.start(t), nil)
	}, proto.CodeGate, "developer approved the plan and cannot apply it too"},
}

// edit changes the plan after its approval; the liar signs the start of the changed one.
func edit(name string, change func(*plan.Plan), code proto.Code, words string) attempt {
	return attempt{name, func(t *testing.T, l *liar) error {
		args := l.start(t)
		args.Plan = ticket()
		change(&args.Plan)
		return l.ask(prod, proto.OpJobStart, l.intended(t, args, nil), nil)
	}, code, words}
}

func first(p *plan.Plan) *plan.Step { return &p.Groups[0].Steps[0] }

const gone = "gate 1 (simulation)"

var edits = []attempt{
	edit("another value", func(p *plan.Plan) { first(p).Value = "DAHAR" }, proto.CodeGate, gone),
	edit("another destination", func(p *plan.Plan) { first(p).Destination.ID = console.TEH }, proto.CodeGate, gone),
	edit("everybody", func(p *plan.Plan) { first(p).NoField, first(p).Field, first(p).Value = true, "", "" }, proto.CodeGate, gone),
	edit("the deleted as well", func(p *plan.Plan) { first(p).WithDeleted = true }, proto.CodeGate, gone),
	edit("accommodations as well", func(p *plan.Plan) { first(p).WithAccommodations = true }, proto.CodeGate, gone),
	edit("a step less", func(p *plan.Plan) { p.Groups = p.Groups[:1] }, proto.CodeGate, gone),
	edit("another order", func(p *plan.Plan) { slices.Reverse(p.Groups[0].Steps) }, proto.CodeGate, gone),
	edit("another ticket", func(p *plan.Plan) { p.Ticket += "d" }, proto.CodeGate, gone),
	edit("crossing in one group", func(p *plan.Plan) {
		p.Groups = []plan.Group{{Steps: append(p.Groups[0].Steps, p.Groups[1].Steps...)}}
	}, proto.CodeBadRequest, "exchange people in one group"),
}

var words = []attempt{
	start("a broken glass", func(_ *testing.T, _ *liar, args *proto.JobStartArgs) { args.BreakGlass = "it is friday" }, "not allowed by this host"),
	start("a step resolved as done that never ran", func(_ *testing.T, _ *liar, args *proto.JobStartArgs) {
		args.Resolve = []proto.Resolution{{Step: "1.1", As: proto.ResolveDone, Reason: "I say so"}}
	}, "needs no resolution"),
	{"preprod's job", func(_ *testing.T, l *liar) error {
		return l.say(prod, `{"id":1,"protocol":1,"op":"job-start","environment":"preprod","args":{}}`, nil)
	}, proto.CodeEnvironment, ""},
	{"a command line", func(_ *testing.T, l *liar) error {
		return l.say(prod, `{"id":1,"protocol":1,"op":"job-start","environment":"prod","args":{"id":"abcdefgh","kind":"simulate","argv":["rm"],"plan":{}}}`, nil)
	}, proto.CodeUnsupported, "argv"},
	{"a command line in a step", func(_ *testing.T, l *liar) error {
		return l.say(prod, `{"id":1,"protocol":1,"op":"job-start","environment":"prod","args":{"id":"abcdefgh","kind":"simulate","plan":{"version":1,"groups":[{"steps":[{"args":["--noField"]}]}]}}}`, nil)
	}, proto.CodeUnsupported, "args"},
	{"another kind of job", func(t *testing.T, l *liar) error {
		args := l.start(t)
		args.Kind = "shell"
		return l.ask(prod, proto.OpJobStart, args, nil)
	}, proto.CodeBadRequest, "none of simulate, apply"},
	{"another operation", func(_ *testing.T, l *liar) error {
		return l.say(prod, `{"id":1,"protocol":1,"op":"console","environment":"prod","args":{"argv":["app:seed-migration"]}}`, nil)
	}, proto.CodeUnsupported, ""},
}

// TestNothingPasses tries every lie on a prod where one honest start would pass, and lets that one
// pass in the end: what was refused was refused for the lie.
func TestNothingPasses(t *testing.T) {
	l := newLiar(t)
	before := l.jobsOf(t, prod)
	for gate, attempts := range map[string][]attempt{"receipt": receipts, "intent": intents, "approval": approvals, "plan": edits, "words": words, "ids": ids()} {
		for _, a := range attempts {
			t.Run(gate+"/"+a.name, func(t *testing.T) {
				refusedWith(t, a.tell(t, l), a.code, a.words)
				if after := l.jobsOf(t, prod); !slices.Equal(before, after) {
					t.Fatalf("there are jobs now: %v", after)
				}
				if told := l.effects(t, "prod"); len(told.Real()) > 0 || len(told.Effects) > 0 {
					t.Fatalf("the application was changed: %+v", told.Real())
				}
			})
		}
	}
	job := l.finished(t, prod, l.started(t, prod, l.start(t)))
	told := l.effects(t, "prod")
	if job.State != proto.JobSucceeded || len(told.Real()) != 3 || len(told.Moves()) != 41+10+21 {
		t.Errorf("the honest start: %s, %v, %d runs, %d people", job.State, job.Error, len(told.Real()), len(told.Moves()))
	}
	if err := l.ask(prod, proto.OpJobStart, l.start(t), nil); err == nil {
		t.Error("the plan was started again")
	} else {
		refusedWith(t, err, proto.CodeGate, "verified already")
	}
}

// ids are names of jobs that are paths, units or nothing.
func ids() []attempt {
	var all []attempt
	for _, id := range []string{"", "short", "../../../etc/passwd", "abcdefgh/../x", "abcdefgh.service", "abcdefgh@1", "ABCDEFGH",
		"abcdefg\x00", "abcdefg\n", "%2e%2e%2f%2e", "-abcdefgh", "éabcdefgh", strings.Repeat("a", 65)} {
		for _, op := range []proto.Op{proto.OpJobStart, proto.OpJobFollow, proto.OpJobCancel} {
			all = append(all, attempt{string(op) + " " + strings.ReplaceAll(id, "/", "|"), func(t *testing.T, l *liar) error {
				if op != proto.OpJobStart {
					return l.ask(prod, op, map[string]any{"id": id}, nil)
				}
				args := l.start(t)
				args.ID = proto.JobID(id)
				return l.ask(prod, op, l.intended(t, args, nil), nil)
			}, map[bool]proto.Code{true: proto.CodeBadRequest, false: proto.CodeJob}[op == proto.OpJobStart], ""})
		}
	}
	return all
}
