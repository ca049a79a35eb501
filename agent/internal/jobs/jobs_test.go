package jobs_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/agent/internal/jobs/jobstest"
	"github.com/re-connect/rpctl/agent/internal/jobs/runner"
	"github.com/re-connect/rpctl/agent/internal/lease"
	"github.com/re-connect/rpctl/internal/signature"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

func refusal(t *testing.T, err error, code proto.Code, words string) {
	t.Helper()
	var refused *proto.Error
	if !errors.As(err, &refused) || refused.Code != code || !strings.Contains(string(refused.Message), words) {
		t.Errorf("got %v, want %s: …%s…", err, code, words)
	}
}

func TestStartRefusesWhatIsNoJob(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*proto.JobStartArgs)
		words  string
	}{
		"id":                 {func(a *proto.JobStartArgs) { a.ID = "../../etc" }, "no job's id"},
		"short id":           {func(a *proto.JobStartArgs) { a.ID = "abc" }, "no job's id"},
		"kind":               {func(a *proto.JobStartArgs) { a.Kind = "shell" }, "none of simulate, apply"},
		"newline in a value": {func(a *proto.JobStartArgs) { a.Plan.Groups[0].Steps[0].Value = "x\n--noField" }, "control character"},
		"NUL in a value":     {func(a *proto.JobStartArgs) { a.Plan.Groups[0].Steps[0].Value = "x\x00" }, "control character"},
		"field as an option": {func(a *proto.JobStartArgs) { a.Plan.Groups[0].Steps[0].Field = "--dry-run" }, "no field's slug"},
		"no steps":           {func(a *proto.JobStartArgs) { a.Plan.Groups = nil }, "no group"},
		"resolves no step":   {func(a *proto.JobStartArgs) { a.Resolve = []proto.Resolution{{Step: "9.9", As: "rerun", Reason: "x"}} }, "not in the plan"},
		"resolves twice": {func(a *proto.JobStartArgs) {
			a.Resolve = []proto.Resolution{{Step: "1.1", As: "rerun", Reason: "x"}, {Step: "1.1", As: "done", Reason: "x"}}
		}, "resolved twice"},
		"resolves as":         {func(a *proto.JobStartArgs) { a.Resolve = []proto.Resolution{{Step: "1.1", As: "skip", Reason: "x"}} }, "want rerun or done"},
		"resolves for naught": {func(a *proto.JobStartArgs) { a.Resolve = []proto.Resolution{{Step: "1.1", As: "done", Reason: ""}} }, "without a reason"},
		"reason with escapes": {func(a *proto.JobStartArgs) { a.BreakGlass = "\x1b[2J" }, "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			h := jobstest.NewHost(t)
			args := proto.JobStartArgs{ID: h.NewID(), Kind: proto.KindApply, Plan: jobstest.Plan()}
			c.change(&args)
			_, err := h.Start(args)
			refusal(t, err, proto.CodeBadRequest, c.words)
			if list, err := h.Service.List(t.Context(), proto.JobsArgs{}); err != nil || len(list.Jobs) > 0 {
				t.Errorf("it left %+v, %v", list, err)
			}
		})
	}
}

// TestStartTwice: the same id and content is the same job, whatever became of it.
func TestStartTwice(t *testing.T) {
	h := jobstest.NewHost(t)
	args := proto.JobStartArgs{ID: h.NewID(), Kind: proto.KindSimulate, Plan: jobstest.Plan()}
	for range 2 {
		if job, err := h.Start(args); err != nil || job.State != proto.JobAccepted {
			t.Fatalf("%+v, %v", job, err)
		}
	}
	done := h.Finish(args.ID)
	if job, err := h.Start(args); err != nil || job.State != proto.JobSucceeded || job.Stdout != done.Stdout || done.Stdout == 0 {
		t.Errorf("%+v, %v", job, err)
	}
	args.Plan.Centre = "another"
	_, err := h.Start(args)
	refusal(t, err, proto.CodeJob, "taken by another job")
}

// TestUnknownJobAdvisesTheList: rpctl adds the environment, without which its jobs does not run.
func TestUnknownJobAdvisesTheList(t *testing.T) {
	h := jobstest.NewHost(t)
	var refused *proto.Error
	_, err := h.Service.Cancel(t.Context(), proto.JobCancelArgs{ID: "nosuchjob1234567"}, jobstest.Caller)
	if !errors.As(err, &refused) || refused.Advice.Code != proto.AdviceJobs {
		t.Errorf("got %v, next %+v", err, refused)
	}
}

// TestGatesRefuseBeforeAnythingIsMade asks for an apply whose gates are closed.
func TestGatesRefuseBeforeAnythingIsMade(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*jobstest.Host, *proto.JobStartArgs)
		words  string
	}{
		"not approved":      {func(h *jobstest.Host, a *proto.JobStartArgs) { h.Simulate(a.Plan) }, "gate 3 (approval)"},
		"not simulated":     {func(*jobstest.Host, *proto.JobStartArgs) {}, "gate 1 (simulation)"},
		"edited afterwards": {func(h *jobstest.Host, a *proto.JobStartArgs) { h.Approve(a.Plan); a.Plan.Groups[0].Name = "x" }, "gate 1 (simulation)"},
		"deployed since":    {func(h *jobstest.Host, a *proto.JobStartArgs) { h.Approve(a.Plan); h.Release.Revision = "def" }, "gate 1 (simulation)"},
		"no console here": {func(h *jobstest.Host, a *proto.JobStartArgs) {
			h.Approve(a.Plan)
			h.Parts.Config.Console = nil
			h.Reopen()
		}, "gate 3"},
		"glass is not allowed": {func(h *jobstest.Host, a *proto.JobStartArgs) { h.Simulate(a.Plan); a.BreakGlass = "friday" }, "not allowed by this host"},
		"unsigned start": {func(h *jobstest.Host, a *proto.JobStartArgs) {
			h.Parts.Config.Console.SelfApproval = false
			h.Approve(a.Plan)
		}, "not signed by an operator"},
		"a receipt of nobody": {func(h *jobstest.Host, a *proto.JobStartArgs) {
			h.Parts.Config.Console.After = "dev"
			h.Approve(a.Plan)
			a.Receipts = []proto.Signed{jobstest.NewSigner(h.TB, "rp-dev").Sign(h.TB, proto.NamespaceApplied, proto.Applied{Kind: "applied"})}
		}, "is not accepted here"},
	} {
		t.Run(name, func(t *testing.T) {
			h := jobstest.NewHost(t)
			args := proto.JobStartArgs{ID: h.NewID(), Kind: proto.KindApply, Plan: jobstest.Plan()}
			c.change(h, &args)
			_, err := h.Start(args)
			refusal(t, err, proto.CodeGate, c.words)
			if h.Engine.Runners[args.ID] {
				t.Error("a runner was started")
			}
			if _, err := h.Service.List(t.Context(), proto.JobsArgs{ID: args.ID}); err == nil {
				t.Error("it left a job")
			}
		})
	}
}

// TestOneKeyUnderTwoNames: lines of the approvers file that give one key a name for each purpose make no second person.
func TestOneKeyUnderTwoNames(t *testing.T) {
	h, p := jobstest.NewHost(t), jobstest.Plan()
	h.Parts.Config.Console.SelfApproval = false
	h.Parts.Approvers = func() (signature.Signers, error) {
		approver, operator := h.Claire.Key.Signers("claire"), h.Claire.Key.Signers("claire-too")
		approver[0].Namespaces, operator[0].Namespaces = []string{proto.NamespaceApproval}, []string{proto.NamespaceIntent}
		return append(approver, operator...), nil
	}
	h.Reopen()
	h.Approve(p)
	args := proto.JobStartArgs{ID: h.NewID(), Kind: proto.KindApply, Plan: p}
	_, err := h.Start(h.Signed(h.Claire, args))
	refusal(t, err, proto.CodeGate, "one and the same key")
}

func TestApproveRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*jobstest.Host, *proto.Approval) (jobstest.Signer, string)
		words  string
	}{
		"a stranger": {func(h *jobstest.Host, _ *proto.Approval) (jobstest.Signer, string) {
			return jobstest.NewSigner(h.TB, "eve"), proto.NamespaceApproval
		}, "not accepted here"},
		"of a receipt": {func(h *jobstest.Host, _ *proto.Approval) (jobstest.Signer, string) {
			return h.Claire, proto.NamespaceApplied
		}, "it was made for"},
		"of another kind": {func(h *jobstest.Host, a *proto.Approval) (jobstest.Signer, string) {
			a.Kind = "applied"
			return h.Claire, proto.NamespaceApproval
		}, "no approval"},
		"of prod": {func(h *jobstest.Host, a *proto.Approval) (jobstest.Signer, string) {
			a.Environment = "prod"
			return h.Claire, proto.NamespaceApproval
		}, "environment"},
		"of others": {func(h *jobstest.Host, a *proto.Approval) (jobstest.Signer, string) {
			a.Figures = "00"
			return h.Claire, proto.NamespaceApproval
		}, "not those of the simulation"},
		"expired": {func(h *jobstest.Host, a *proto.Approval) (jobstest.Signer, string) {
			a.Expires = a.Time
			return h.Claire, proto.NamespaceApproval
		}, "expired"},
		"of long ago, for ever": {func(h *jobstest.Host, a *proto.Approval) (jobstest.Signer, string) {
			a.Time, a.Expires = a.Time.AddDate(0, 0, -8), a.Time.AddDate(100, 0, 0)
			return h.Claire, proto.NamespaceApproval
		}, "expired"},
		"for ever": {func(h *jobstest.Host, a *proto.Approval) (jobstest.Signer, string) {
			a.Expires = a.Time.AddDate(100, 0, 0)
			return h.Claire, proto.NamespaceApproval
		}, "longer than the 7 days that this host allows"},
		"of tomorrow": {func(h *jobstest.Host, a *proto.Approval) (jobstest.Signer, string) {
			a.Time = a.Expires
			return h.Claire, proto.NamespaceApproval
		}, "future"},
		"a path": {func(h *jobstest.Host, a *proto.Approval) (jobstest.Signer, string) {
			a.Plan = "../../x"
			return h.Claire, proto.NamespaceApproval
		}, "no plan's digest"},
	} {
		t.Run(name, func(t *testing.T) {
			h := jobstest.NewHost(t)
			s := h.Simulate(jobstest.Plan())
			a := proto.Approval{Kind: "approval", Environment: "preprod", Plan: s.Plan, Figures: s.FiguresDigest(), By: "c", Nonce: "n", Time: jobstest.Now(), Expires: jobstest.Now().Add(3600e9)}
			by, namespace := c.change(h, &a)
			_, err := h.Service.Approve(t.Context(), proto.ApproveArgs{Approval: by.Sign(t, namespace, a)}, jobstest.Caller)
			if err == nil || !strings.Contains(err.Error(), c.words) {
				t.Errorf("%v, want …%s…", err, c.words)
			}
		})
	}
}

// TestApprovalOfALostPlan: its error is one line, as every other.
func TestApprovalOfALostPlan(t *testing.T) {
	h := jobstest.NewHost(t)
	s := h.Simulate(jobstest.Plan())
	if err := os.Remove(filepath.Join(h.Parts.State, "plans", s.Plan, "plan.json")); err != nil {
		t.Fatal(err)
	}
	_, err := h.Service.Approve(t.Context(), proto.ApproveArgs{Approval: h.Approval(s)}, jobstest.Caller)
	if err == nil || err.Error() != "the plan is not on this host: "+s.Plan {
		t.Errorf("%v", err)
	}
}

// brokenAudit is an audit whose disk refuses.
type brokenAudit struct{ runner.Audit }

func (brokenAudit) Append(proto.AuditEntry) (proto.AuditEntry, error) {
	return proto.AuditEntry{}, &proto.Error{Code: proto.CodeStorage, Message: "cannot write the audit file: no space left on device", Advice: proto.Advice{Code: proto.AdviceHostDoctor}}
}

// TestNoApprovalWithoutItsLine: one that the audit could not be told of is refused, and does not count.
func TestNoApprovalWithoutItsLine(t *testing.T) {
	h := jobstest.NewHost(t)
	s := h.Simulate(jobstest.Plan())
	h.Service.Audit = brokenAudit{h.Service.Audit}
	_, err := h.Service.Approve(t.Context(), proto.ApproveArgs{Approval: h.Approval(s)}, jobstest.Caller)
	refusal(t, err, proto.CodeStorage, "no space left")
	if e, err := h.Service.Plans.Evidence(s.Plan, jobstest.Now()); err != nil || e.Approval != nil {
		t.Errorf("%+v, %v", e.Approval, err)
	}
}

// TestOneMutatingJob: an apply keeps others out from its start to its end, and simulations too.
func TestOneMutatingJob(t *testing.T) {
	h, p := jobstest.NewHost(t), jobstest.Plan()
	h.Approve(p)
	first := proto.JobStartArgs{ID: h.NewID(), Kind: proto.KindApply, Plan: p}
	if _, err := h.Start(first); err != nil {
		t.Fatal(err)
	}
	second := first
	second.ID = h.NewID()
	_, err := h.Start(second)
	refusal(t, err, proto.CodeGate, "gate 7")
	_, err = h.Start(proto.JobStartArgs{ID: h.NewID(), Kind: proto.KindSimulate, Plan: p})
	refusal(t, err, proto.CodeGate, "gate 7")
	if job, err := h.Service.Mutating(t.Context()); err != nil || job == nil || job.ID != first.ID {
		t.Errorf("%+v, %v", job, err)
	}
	if job := h.Finish(first.ID); job.State != proto.JobSucceeded {
		t.Fatalf("%s, %v", job.State, job.Error)
	}
	if job, err := h.Service.Mutating(t.Context()); err != nil || job != nil {
		t.Errorf("%+v, %v", job, err)
	}
}

func TestDeployKeepsJobsOut(t *testing.T) {
	h, p := jobstest.NewHost(t), jobstest.Plan()
	h.Approve(p)
	held, err := lease.Acquire(h.Parts.State, proto.Holder{Operator: "bob@laptop", User: "app", Purpose: "deploy"})
	if err != nil {
		t.Fatal(err)
	}
	args := proto.JobStartArgs{ID: h.NewID(), Kind: proto.KindApply, Plan: p}
	_, err = h.Start(args)
	refusal(t, err, proto.CodeLeaseHeld, "bob@laptop (app), for deploy")
	if err := held.Release(); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Start(args); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestPlanStatus(t *testing.T) {
	h, p := jobstest.NewHost(t), jobstest.Plan()
	closed := func() string {
		status, err := h.Service.PlanStatus(t.Context(), proto.PlanStatusArgs{Plan: p})
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, gate := range status.Gates {
			if !gate.Open {
				all = append(all, string(gate.Name))
			}
		}
		return strings.Join(all, " ") + " / " + string(status.Steps[0].State)
	}
	if got := closed(); got != "simulation approval / pending" {
		t.Error(got)
	}
	h.Simulate(p)
	if got := closed(); got != "approval / simulated" {
		t.Error(got)
	}
	h.Approve(p)
	if got := closed(); got != " / simulated" {
		t.Error(got)
	}
	if running, plans, err := h.Service.Overview(t.Context()); err != nil || len(running) != 0 || len(plans) != 1 || plans[0].State != "approved" {
		t.Errorf("%+v, %+v, %v", running, plans, err)
	}
	h.Do(proto.JobStartArgs{Kind: proto.KindApply, Plan: p})
	if got := closed(); got != "order / verified" {
		t.Error(got)
	}
}

// TestLongPlanFitsTheWire: the most steps that a plan may have still fit an event.
func TestLongPlanFitsTheWire(t *testing.T) {
	h, p := jobstest.NewHost(t), jobstest.Plan()
	p.Groups = []plan.Group{{}}
	for i := range 200 {
		p.Groups[0].Steps = append(p.Groups[0].Steps, plan.Step{Origin: jobstest.CHU75, Destination: jobstest.CHU77, Field: "f", Value: fmt.Sprint("v", i)})
	}
	job := h.Do(proto.JobStartArgs{Kind: proto.KindSimulate, Plan: p})
	if job.State != proto.JobSucceeded {
		t.Fatalf("%s, %v", job.State, job.Error)
	}
	if line, err := jsonLength(job); err != nil || line > proto.MaxLine/2 {
		t.Errorf("%d bytes, %v", line, err)
	}
}
