package jobs_test

import (
	"strings"
	"testing"
	"time"

	"github.com/re-connect/rpctl/agent/internal/jobs/jobstest"
	"github.com/re-connect/rpctl/agent/internal/jobs/store"
	"github.com/re-connect/rpctl/proto"
)

// TestIntentCoversTheWholeStart: what is asked for is what an operator signed, for this very job, at this time.
func TestIntentCoversTheWholeStart(t *testing.T) {
	other := strings.Repeat("0", 64)
	for name, c := range map[string]struct {
		signed func(*proto.Intent)       // what is signed differs
		asked  func(*proto.JobStartArgs) // what is asked for differs
		by     string
		words  string
	}{
		"alice":           {},
		"the approver":    {by: "claire", words: "cannot apply it too"},
		"a stranger":      {by: "eve", words: "not accepted here"},
		"another job":     {signed: func(i *proto.Intent) { i.Job = "anotherjob" }, words: "for another job"},
		"another plan":    {signed: func(i *proto.Intent) { i.Plan = other }, words: "for another job"},
		"prod":            {signed: func(i *proto.Intent) { i.Environment = "prod" }, words: "for another job"},
		"another host":    {signed: func(i *proto.Intent) { i.Host = "rp-preprod2" }, words: "for another job"},
		"old":             {signed: func(i *proto.Intent) { i.Time = i.Time.Add(-proto.IntentLife - time.Second) }, words: "another time"},
		"of tomorrow":     {signed: func(i *proto.Intent) { i.Time = i.Time.Add(24 * time.Hour) }, words: "another time"},
		"other figures":   {signed: func(i *proto.Intent) { i.Figures = other }, words: "for other figures"},
		"no figures":      {signed: func(i *proto.Intent) { i.Figures = "" }, words: "for other figures"},
		"other revision":  {signed: func(i *proto.Intent) { i.Revision = "def" }, words: "for another revision"},
		"no revision":     {signed: func(i *proto.Intent) { i.Revision = "" }, words: "for another revision"},
		"other approval":  {signed: func(i *proto.Intent) { i.Approval = other }, words: "for another approval"},
		"no approval":     {signed: func(i *proto.Intent) { i.Approval = "" }, words: "for another approval"},
		"another's name":  {signed: func(i *proto.Intent) { i.Operator = "bob@laptop" }, words: "in another operator's name"},
		"older rpctl":     {signed: func(i *proto.Intent) { *i = older(*i) }, words: "older rpctl"},
		"newer rpctl":     {signed: func(i *proto.Intent) { i.Version++ }, words: "newer rpctl"},
		"no version":      {signed: func(i *proto.Intent) { i.Version = 0 }, words: "older rpctl"},
		"no receipts":     {asked: func(a *proto.JobStartArgs) { a.Receipts = nil }, words: "with other receipts"},
		"receipts twice":  {asked: func(a *proto.JobStartArgs) { a.Receipts = append(a.Receipts, a.Receipts...) }, words: "with other receipts"},
		"another receipt": {asked: func(a *proto.JobStartArgs) { a.Receipts = []proto.Signed{{Body: "{}\n"}} }, words: "with other receipts"},
		"a word added": {asked: func(a *proto.JobStartArgs) {
			a.Resolve = append(a.Resolve, proto.Resolution{Step: "1.2", As: proto.ResolveDone, Reason: "it is done"})
		}, words: "another word"},
		"no word":        {asked: func(a *proto.JobStartArgs) { a.Resolve = nil }, words: "another word"},
		"another word":   {asked: func(a *proto.JobStartArgs) { a.Resolve[0].As = proto.ResolveDone }, words: "another word"},
		"another reason": {asked: func(a *proto.JobStartArgs) { a.Resolve[0].Reason = "I say so" }, words: "another word"},
	} {
		t.Run(name, func(t *testing.T) {
			h, p := jobstest.NewHost(t), jobstest.Plan()
			h.Approve(p)
			h.Engine.Script = jobstest.Once(jobstest.Fault{Limit: 12})
			if job := h.Do(proto.JobStartArgs{Kind: proto.KindApply, Plan: p}); job.State != proto.JobFailed {
				t.Fatal(job.State, job.Error)
			}
			h.Parts.Config.Console.SelfApproval = false
			h.Reopen()
			h.Approve(p)
			args := proto.JobStartArgs{
				ID: h.NewID(), Kind: proto.KindApply, Plan: p, Resolve: []proto.Resolution{{Step: "1.1", As: proto.ResolveRerun, Reason: "29 are left"}},
				Receipts: []proto.Signed{jobstest.NewSigner(t, "rp-dev").Sign(t, proto.NamespaceApplied, proto.Applied{Kind: "applied"})},
			}
			statement := h.Statement(args)
			if c.signed != nil {
				c.signed(&statement)
			}
			by := map[string]jobstest.Signer{"": h.Alice, "claire": h.Claire, "eve": jobstest.NewSigner(t, "eve")}[c.by]
			signed := by.Sign(t, proto.NamespaceIntent, statement)
			args.Intent = &signed
			if c.asked != nil {
				c.asked(&args)
			}
			_, err := h.Start(args)
			if c.words != "" {
				refusal(t, err, proto.CodeGate, c.words)
				return
			}
			job := h.Finish(args.ID)
			if err != nil || job.State != proto.JobSucceeded {
				t.Errorf("%v, %s, %v", err, job.State, job.Error)
			}
			if spec, err := store.New(h.Parts.State).Spec(args.ID); err != nil || *spec.Args.Intent != signed {
				t.Errorf("the host's record of the start is %+v, %v", spec.Args.Intent, err)
			}
		})
	}
}

// older is what rpctl signed before the signature covered the whole start.
func older(i proto.Intent) proto.Intent {
	return proto.Intent{Kind: i.Kind, Environment: i.Environment, Plan: i.Plan, Job: i.Job, Time: i.Time}
}

// TestBreakGlassIsSigned: by an operator of the host, always, and by a second person where it wants two.
func TestBreakGlassIsSigned(t *testing.T) {
	const reason = "people sleep outside"
	for name, c := range map[string]struct {
		self     bool
		unsigned bool
		by       string
		signed   string // the reason that the start's signature covers; "-" is none
		approved string // the reason that the approval has; "-" is no approval
		approver string
		change   func(*proto.Approval)
		words    string
	}{
		"alone, where that is allowed":           {self: true, approved: "-"},
		"alone, with a plain approval":           {self: true},
		"alone, unsigned":                        {self: true, unsigned: true, approved: "-", words: "not signed by an operator"},
		"alone, unsigned, with a plain approval": {self: true, unsigned: true, words: "not signed by an operator"},
		"alone, by a stranger":                   {self: true, by: "eve", approved: "-", words: "not signed by an operator"},
		"alone, signed without the reason":       {self: true, signed: "-", approved: "-", words: "with another reason"},
		"alone, signed for another reason":       {self: true, signed: "friday", approved: "-", words: "with another reason"},
		"two people":                             {approved: reason},
		"one person, no approval":                {approved: "-", words: "nobody has approved this plan"},
		"two people, a plain approval":           {words: "not that the glass is broken"},
		"two people, another reason":             {approved: "friday", words: "approved another reason"},
		"two people, unsigned":                   {approved: reason, unsigned: true, words: "not signed by an operator"},
		"one person twice":                       {approved: reason, by: "claire", words: "cannot apply it too"},
		"two people, too late": {approved: reason, change: func(a *proto.Approval) {
			a.Time, a.Expires = a.Time.Add(-proto.GlassLife), a.Time.Add(time.Millisecond)
		}, words: "expired"},
		"two people, signed for something longer": {approved: reason, change: func(a *proto.Approval) { a.Expires = a.Time.Add(proto.GlassLife + time.Hour) }, words: "longer than"},
	} {
		t.Run(name, func(t *testing.T) {
			h, p := jobstest.NewHost(t), jobstest.Plan()
			h.Parts.Config.Console.BreakGlass, h.Parts.Config.Console.SelfApproval, h.Parts.Config.Console.After = true, c.self, "dev"
			h.Reopen()
			s := h.Simulate(p)
			if c.approved != "-" {
				a := proto.Approval{Kind: "approval", Environment: "preprod", Plan: s.Plan, Figures: s.FiguresDigest(), By: "claire",
					BreakGlass: c.approved, Time: jobstest.Now(), Expires: jobstest.Now().Add(time.Hour), Nonce: "n"}
				if c.change != nil {
					c.change(&a)
				}
				_, err := h.Service.Approve(t.Context(), proto.ApproveArgs{Approval: h.Claire.Sign(t, proto.NamespaceApproval, a)}, jobstest.Caller)
				if c.change != nil {
					refusal(t, err, proto.CodeGate, c.words)
					return
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			args := proto.JobStartArgs{ID: h.NewID(), Kind: proto.KindApply, Plan: p, BreakGlass: reason}
			statement := h.Statement(args)
			switch c.signed {
			case "":
			case "-":
				statement.BreakGlass = ""
			default:
				statement.BreakGlass = c.signed
			}
			by := map[string]jobstest.Signer{"": h.Alice, "claire": h.Claire, "eve": jobstest.NewSigner(t, "eve")}[c.by]
			signed := by.Sign(t, proto.NamespaceIntent, statement)
			if !c.unsigned {
				args.Intent = &signed
			}
			_, err := h.Start(args)
			if c.words != "" {
				refusal(t, err, proto.CodeGate, c.words)
				return
			}
			if job := h.Finish(args.ID); err != nil || job.State != proto.JobSucceeded {
				t.Errorf("%v, %s, %v", err, job.State, job.Error)
			}
		})
	}
}

// TestBrokenGlassIsNoApproval: what was approved for a broken glass opens no gate of a plain start.
func TestBrokenGlassIsNoApproval(t *testing.T) {
	h, p := jobstest.NewHost(t), jobstest.Plan()
	approve := func() error {
		s := h.Simulate(p)
		_, err := h.Service.Approve(t.Context(), proto.ApproveArgs{Approval: h.Claire.Sign(t, proto.NamespaceApproval, proto.Approval{
			Kind: "approval", Environment: "preprod", Plan: s.Plan, Figures: s.FiguresDigest(), By: "claire", BreakGlass: "friday",
			Time: jobstest.Now(), Expires: jobstest.Now().Add(time.Hour), Nonce: "n"})}, jobstest.Caller)
		return err
	}
	refusal(t, approve(), proto.CodeGate, "break-glass is not allowed")
	h.Parts.Config.Console.BreakGlass = true
	h.Reopen()
	if err := approve(); err != nil {
		t.Fatal(err)
	}
	_, err := h.Start(h.Signed(h.Alice, proto.JobStartArgs{Kind: proto.KindApply, Plan: p}))
	refusal(t, err, proto.CodeGate, "approved breaking the glass")
}
