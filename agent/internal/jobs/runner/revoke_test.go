package runner_test

import (
	"strings"
	"testing"
	"time"

	"github.com/re-connect/rpctl/agent/internal/gates"
	"github.com/re-connect/rpctl/agent/internal/jobs/jobstest"
	"github.com/re-connect/rpctl/internal/signature"
	"github.com/re-connect/rpctl/proto"
)

// TestWithdrawnWhileTheJobRuns: a job stops before the next step that changes data, with nothing of it run, and
// goes on under a newer approval.
func TestWithdrawnWhileTheJobRuns(t *testing.T) {
	for name, c := range map[string]struct {
		withdraw func(*jobstest.Host)
		restore  func(*jobstest.Host)
		want     string
	}{
		"revoked": {withdraw: revokeNow, want: "alice revoked what was approved until"},
		"the key is taken out": {
			withdraw: func(h *jobstest.Host) {
				h.Parts.Approvers = func() (signature.Signers, error) { return h.Alice.Key.Signers("alice"), nil }
			},
			restore: func(h *jobstest.Host) {
				h.Parts.Approvers = func() (signature.Signers, error) {
					return append(h.Claire.Key.Signers("claire"), h.Alice.Key.Signers("alice")...), nil
				}
				h.Reopen()
			},
			want: "the approval no longer counts",
		},
	} {
		t.Run(name, func(t *testing.T) {
			h, p := jobstest.NewHost(t), jobstest.Plan()
			h.Approve(p)
			// The runner asks the parts of the host as they are at each question.
			approvers := h.Parts.Approvers
			current := func() (signature.Signers, error) { return approvers() }
			h.Parts.Approvers = func() (signature.Signers, error) { return current() }
			h.Reopen()
			h.Engine.Script = real(1, jobstest.Fault{Before: func() {
				c.withdraw(h)
				if changed := h.Parts.Approvers; c.restore != nil {
					current = changed
				}
			}})
			job := h.Do(apply(p))
			if job.State != proto.JobFailed || states(job) != "verified stopped simulated" || job.Error.Gate != gates.Approval ||
				!strings.Contains(string(job.Error.Message), c.want) || !strings.Contains(string(job.Error.Message), "step 1.2 was not begun: gate 3 (approval)") {
				t.Fatalf("%s %s, %v", job.State, states(job), job.Error)
			}
			h.Engine.Script = nil
			if c.restore != nil {
				c.restore(h)
			}
			if c.restore == nil {
				if _, err := h.Start(proto.JobStartArgs{ID: h.NewID(), Kind: proto.KindApply, Plan: p}); err == nil {
					t.Error("a revoked plan goes on")
				}
			}
			h.Approve(p)
			if job := h.Do(apply(p)); job.State != proto.JobSucceeded || counts(h.World) != after {
				t.Errorf("the rest: %s %s, %v", job.State, states(job), job.Error)
			}
		})
	}
}

// TestRevokedBehindABrokenGlass: where one person breaks the glass there is nothing to revoke; where it takes two, the
// second one's word is revoked like any approval.
func TestRevokedBehindABrokenGlass(t *testing.T) {
	const reason = "nobody answers"
	for alone, want := range map[bool]proto.JobState{true: proto.JobSucceeded, false: proto.JobFailed} {
		h, p := jobstest.NewHost(t), jobstest.Plan()
		h.Parts.Config.Console.BreakGlass, h.Parts.Config.Console.SelfApproval = true, alone
		s := h.Simulate(p)
		approval := h.Claire.Sign(t, proto.NamespaceApproval, proto.Approval{Kind: "approval", Environment: "preprod", Plan: s.Plan,
			Figures: s.FiguresDigest(), By: "claire", BreakGlass: reason, Time: jobstest.Now(), Expires: jobstest.Now().Add(time.Hour), Nonce: "n"})
		if _, err := h.Service.Approve(t.Context(), proto.ApproveArgs{Approval: approval}, jobstest.Caller); err != nil {
			t.Fatal(err)
		}
		h.Engine.Script = real(1, jobstest.Fault{Before: func() { revokeNow(h) }})
		args := apply(p)
		args.BreakGlass = reason
		if job := h.Do(h.Signed(h.Alice, args)); job.State != want {
			t.Errorf("alone %v: %s, %v", alone, job.State, job.Error)
		}
	}
}

// TestRevokedAndApprovedAgainWhileTheJobRuns: a job stops that began with the revoked approval. A new one goes on.
func TestRevokedAndApprovedAgainWhileTheJobRuns(t *testing.T) {
	h, p := jobstest.NewHost(t), jobstest.Plan()
	h.Approve(p)
	h.Engine.Script = real(1, jobstest.Fault{Before: func() {
		revokeNow(h)
		approveLater(h)
	}})
	job := h.Do(apply(p))
	if job.State != proto.JobFailed || states(job) != "verified stopped simulated" || job.Error.Gate != gates.Approval ||
		!strings.Contains(string(job.Error.Message), "alice revoked what was approved until") {
		t.Fatalf("%s %s, %v", job.State, states(job), job.Error)
	}
}

// TestApprovedAgainWhileTheJobRuns: an approval that is only replaced stops no job.
func TestApprovedAgainWhileTheJobRuns(t *testing.T) {
	h, p := jobstest.NewHost(t), jobstest.Plan()
	h.Approve(p)
	h.Engine.Script = real(1, jobstest.Fault{Before: func() { approveLater(h) }})
	if job := h.Do(apply(p)); job.State != proto.JobSucceeded || counts(h.World) != after {
		t.Fatalf("%s %s, %v", job.State, states(job), job.Error)
	}
}

// approveLater is claire's yes to the same figures, of after a revocation of now.
func approveLater(h *jobstest.Host) {
	h.TB.Helper()
	e, err := h.Service.Plans.Evidence(jobstest.Plan().Digest(), time.Now())
	if err != nil || e.Simulation == nil {
		h.TB.Errorf("no simulation: %v", err)
		return
	}
	at := time.Now().UTC().Add(time.Second)
	signed := h.Claire.Sign(h.TB, proto.NamespaceApproval, proto.Approval{Kind: "approval", Environment: e.Simulation.Environment, Plan: e.Simulation.Plan,
		Figures: e.Simulation.FiguresDigest(), By: "Claire", Time: at, Expires: at.Add(time.Hour), Nonce: "again"})
	if _, err := h.Service.Approve(h.TB.Context(), proto.ApproveArgs{Approval: signed}, jobstest.Caller); err != nil {
		h.TB.Error(err)
	}
}

// revokeNow is alice's revocation of everything so far.
func revokeNow(h *jobstest.Host) {
	h.TB.Helper()
	signed := h.Alice.Sign(h.TB, proto.NamespaceRevocation, proto.Revocation{Kind: "revocation", Environment: "preprod",
		Plan: jobstest.Plan().Digest(), By: "alice", Reason: "a centre is wrong", Time: time.Now().UTC(), Nonce: "n"})
	if _, err := h.Service.Revoke(h.TB.Context(), proto.RevokeArgs{Revocation: signed}, jobstest.Caller); err != nil {
		h.TB.Error(err)
	}
}
