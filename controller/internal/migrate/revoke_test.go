package migrate

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/internal/signature/signaturetest"
	"github.com/re-connect/rpctl/proto"
)

// revocationIn is the body that a host was given.
func revocationIn(t *testing.T, signed proto.Signed) proto.Revocation {
	t.Helper()
	var r proto.Revocation
	if err := proto.DecodeStrict([]byte(signed.Body), &r); err != nil {
		t.Fatal(err)
	}
	if signed.Namespace != proto.NamespaceRevocation || proto.CanonicalBody(r) != signed.Body {
		t.Errorf("%+v", signed)
	}
	return r
}

func TestRevoke(t *testing.T) {
	for name, c := range map[string]struct {
		ahead    time.Duration // of the approval that is kept, to this machine's clock
		none     bool
		want     time.Duration
		question string
	}{
		"an approval":               {ahead: -time.Hour, question: "\"Claire\", and every earlier one for prod"},
		"no approval yet":           {none: true, question: "there is none yet"},
		"one of a clock that is on": {ahead: time.Minute, want: time.Minute, question: "Claire"},
	} {
		t.Run(name, func(t *testing.T) {
			d, h := applying(t, "prod")
			if !c.none {
				h.status.Approval = h.signed(t, proto.NamespaceApproval, proto.Approval{Kind: "approval", By: "Claire", Time: noon.Add(c.ahead)})
			}
			d.answers = []string{"yes"}
			if err := Revoke(t.Context(), d.world, d.options, Revoking{By: "bob", Reason: "a centre is wrong"}); err != nil {
				t.Fatal(err)
			}
			r := revocationIn(t, h.revocations[0])
			if r.Kind != "revocation" || r.Plan != d.options.Plan.Digest() || r.Environment != "prod" || r.By != "bob" || r.Reason != "a centre is wrong" ||
				!r.Time.Equal(noon.Add(c.want)) || len(r.Nonce) != 32 {
				t.Errorf("%+v", r)
			}
			if !strings.Contains(d.asked[0], c.question) {
				t.Errorf("asked %q", d.asked)
			}
			stored := d.of(event.Stored)
			if body, err := os.ReadFile(stored[len(stored)-1].Path); err != nil || string(body) != h.revocations[0].Body {
				t.Errorf("%s, %v", body, err)
			}
		})
	}
}

func TestRevokeRefuses(t *testing.T) {
	d, h := applying(t, "prod")
	for _, bad := range []Revoking{{By: "b\nob"}, {By: "bob", Reason: "a\x1b[2J"}, {By: "bob", Reason: strings.Repeat("x", proto.MaxSignedReason+1)},
		{By: " bob"}, {By: "bob", Reason: "see https://x?token=0123456789abcdef0123"}} {
		check(t, Revoke(t.Context(), d.world, d.options, bad), exit.BadInput, "bad --", "")
	}
	d.answers = []string{"no"}
	check(t, Revoke(t.Context(), d.world, d.options, Revoking{By: "bob"}), exit.Refused, "not confirmed", "")
	h.status.Approval = h.signed(t, proto.NamespaceApproval, proto.Approval{Kind: "approval", By: "Claire", Time: noon.Add(time.Hour)})
	check(t, Revoke(t.Context(), d.world, d.options, Revoking{By: "bob"}), exit.Refused, "one of two clocks is wrong", "timedatectl")
	h.status.Approval = nil
	h.refuse[proto.OpRevoke] = &proto.Error{Code: proto.CodeGate, Message: "cannot accept the revocation", Advice: proto.Advice{Code: proto.AdviceRevoke}}
	d.answers = []string{"yes"}
	check(t, Revoke(t.Context(), d.world, d.options, Revoking{By: "bob"}), exit.Refused, "cannot accept", "rpctl migrate revoke --plan "+d.options.PlanPath)
	if len(h.revocations) > 0 {
		t.Error("a revocation was sent")
	}
	applied := h.applied(d.options.Plan)
	h.status.Applied = h.signed(t, proto.NamespaceApplied, applied)
	h.status.Steps = nil
	for _, step := range applied.Steps {
		h.status.Steps = append(h.status.Steps, proto.JobStep{Step: step.Step, State: proto.StepVerified})
	}
	check(t, Revoke(t.Context(), d.world, d.options, Revoking{By: "bob"}), exit.Refused, "nothing left to revoke", "rpctl migrate status")
}

// TestHardwareKeyIsAskedForHere: where the environment wants one, another key is refused before anything is sent.
func TestHardwareKeyIsAskedForHere(t *testing.T) {
	d, h := applying(t, "prod")
	d.options.Environment.Console.RequireSK = true
	h.status.Simulation = h.signed(t, proto.NamespaceSimulation, h.simulation(d.options.Plan))
	d.options.Yes = true
	check(t, Approve(t.Context(), d.world, d.options, Approving{By: "bob"}), exit.Refused, "wants a hardware key with touch", "--key ~/.ssh/id_ed25519_sk")
	check(t, Revoke(t.Context(), d.world, d.options, Revoking{By: "bob"}), exit.Refused, "wants a hardware key with touch", "rpctl migrate revoke --plan")
	if len(h.approvals)+len(h.revocations) > 0 {
		t.Error("something was sent")
	}
	d.key = signaturetest.NewED25519(t, signaturetest.Touched)
	for _, err := range []error{
		Approve(t.Context(), d.world, d.options, Approving{By: "bob"}), Revoke(t.Context(), d.world, d.options, Revoking{By: "bob"}),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	if len(h.approvals) != 1 || len(h.revocations) != 1 {
		t.Error("nothing was sent")
	}
}

// TestRevokedApprovalIsNotUnsigned: a gate that is closed by a revocation is not taken for one that only wants a signed start.
func TestRevokedApprovalIsNotUnsigned(t *testing.T) {
	d, h := applying(t, "prod")
	s := h.simulation(d.options.Plan)
	a := proto.Approval{Kind: "approval", Environment: "prod", Plan: s.Plan, Figures: s.FiguresDigest(), Time: noon, Expires: noon.Add(time.Hour)}
	status := proto.PlanStatus{Simulation: h.signed(t, proto.NamespaceSimulation, s), Approval: h.signed(t, proto.NamespaceApproval, a)}
	gate := proto.GateStatus{Gate: 3, Name: "approval"}
	r := newRun(d.world, d.options)
	if !r.unsigned(gate, status) {
		t.Error("an approval that fits is not taken for one")
	}
	for at, want := range map[time.Duration]bool{-time.Second: true, 0: false, time.Second: false} {
		status.Revocation = h.signed(t, proto.NamespaceRevocation, proto.Revocation{Kind: "revocation", Time: noon.Add(at)})
		if r.unsigned(gate, status) != want {
			t.Errorf("revoked %s after the approval: %t", at, !want)
		}
	}
	status.Revocation.Body = "{}x"
	if r.unsigned(gate, status) {
		t.Error("a revocation that cannot be read withdraws nothing")
	}
}

// TestAcceptedButNotKeptHere: what the host has accepted counts, though the copy beside the plan cannot be written.
func TestAcceptedButNotKeptHere(t *testing.T) {
	for what, run := range map[string]func(*desk) error{
		"revocation": func(d *desk) error { return Revoke(t.Context(), d.world, d.options, Revoking{By: "bob"}) },
		"approval":   func(d *desk) error { return Approve(t.Context(), d.world, d.options, Approving{By: "bob"}) },
	} {
		t.Run(what, func(t *testing.T) {
			d, h := applying(t, "prod")
			h.status.Simulation = h.signed(t, proto.NamespaceSimulation, h.simulation(d.options.Plan))
			d.options.Yes = true
			folder := storeOf(d.options.PlanPath).folder
			if err := os.MkdirAll(filepath.Join(folder, "prod-"+what+".json", "x"), 0o700); err != nil { // no file can take its place
				t.Fatal(err)
			}
			check(t, run(d), exit.LocalFailed, "the "+what+" counts: the host has accepted it; only the copy on this machine is missing", "ls -ld "+folder)
			if len(h.approvals)+len(h.revocations) != 1 {
				t.Error("nothing was sent")
			}
		})
	}
}
