package jobs_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/re-connect/rpctl/agent/internal/audit"
	"github.com/re-connect/rpctl/agent/internal/gates"
	"github.com/re-connect/rpctl/agent/internal/jobs/jobstest"
	"github.com/re-connect/rpctl/internal/signature"
	"github.com/re-connect/rpctl/internal/signature/signaturetest"
	"github.com/re-connect/rpctl/proto"
)

// approvalAt is an approval of a simulation of this time.
func approvalAt(s proto.Simulation, at time.Time) proto.Approval {
	return proto.Approval{Kind: "approval", Environment: s.Environment, Plan: s.Plan, Figures: s.FiguresDigest(), By: "Claire", Time: at, Expires: at.Add(time.Hour), Nonce: "n"}
}

func revocationAt(s proto.Simulation, at time.Time) proto.Revocation {
	return proto.Revocation{Kind: "revocation", Environment: s.Environment, Plan: s.Plan, By: "Claire", Reason: "a centre is wrong", Time: at, Nonce: "n"}
}

func approve(h *jobstest.Host, signed proto.Signed) error {
	_, err := h.Service.Approve(h.TB.Context(), proto.ApproveArgs{Approval: signed}, jobstest.Caller)
	return err
}

func revoke(h *jobstest.Host, signed proto.Signed) error {
	_, err := h.Service.Revoke(h.TB.Context(), proto.RevokeArgs{Revocation: signed}, jobstest.Caller)
	return err
}

// gate3 is what gate 3 says of the plan; empty when it is open.
func gate3(h *jobstest.Host) string {
	h.TB.Helper()
	status, err := h.Service.PlanStatus(h.TB.Context(), proto.PlanStatusArgs{Plan: jobstest.Plan()})
	if err != nil {
		h.TB.Fatal(err)
	}
	if gate := status.Gates[gates.Approval-1]; !gate.Open {
		return string(gate.Why)
	}
	return ""
}

// TestSignedTextsAreBounded: each text of a body that a person signs is one printable line of bounded length.
func TestSignedTextsAreBounded(t *testing.T) {
	long := strings.Repeat("é", proto.MaxSignedName/2+1)
	hostile := map[string]string{"escape": "a\x1b[2Jb", "newline": "a\nrpctl: done", "return": "a\rb", "override": "a\u202eb", "zero width": "a\u200bb", "separator": "a\u2028b", "no text": "a\x00b"}
	fields := map[string]func(*proto.Approval, string){
		"by":       func(a *proto.Approval, text string) { a.By = text },
		"for":      func(a *proto.Approval, text string) { a.For, a.Evidence = text, "https://x" },
		"evidence": func(a *proto.Approval, text string) { a.For, a.Evidence = "x", text },
		"nonce":    func(a *proto.Approval, text string) { a.Nonce = text },
	}
	h := jobstest.NewHost(t)
	s := h.Simulate(jobstest.Plan())
	refused := func(field, name string, change func(*proto.Approval)) {
		t.Helper()
		a := approvalAt(s, jobstest.Now())
		change(&a)
		err := approve(h, h.Claire.Sign(t, proto.NamespaceApproval, a))
		if err == nil || !strings.Contains(err.Error(), `"`+field+`"`) || strings.ContainsAny(err.Error(), "\n\r\x1b\x00\u202e\u200b\u2028") {
			t.Errorf("%s, %s: %v", field, name, err)
		}
	}
	for field, set := range fields {
		for name, text := range hostile {
			refused(field, name, func(a *proto.Approval) { set(a, text) })
		}
		refused(field, "too long", func(a *proto.Approval) { set(a, long+long+long) })
	}
	refused("nonce", "none", func(a *proto.Approval) { a.Nonce = "" })
	refused("nonce", "blank", func(a *proto.Approval) { a.Nonce = "a b" })
	refused("by", "longer than a name", func(a *proto.Approval) { a.By = long })
	refused("evidence", "blank", func(a *proto.Approval) { a.For, a.Evidence = "x", "https://x y" })
	refused("evidence", "alone", func(a *proto.Approval) { a.Evidence = "https://x" })
	for field, set := range map[string]func(*proto.Revocation, string){
		"by":     func(r *proto.Revocation, text string) { r.By = text },
		"reason": func(r *proto.Revocation, text string) { r.Reason = text },
		"nonce":  func(r *proto.Revocation, text string) { r.Nonce = text },
	} {
		hostile["too long"] = long + long + long
		for name, text := range hostile {
			r := revocationAt(s, jobstest.Now())
			set(&r, text)
			if err := revoke(h, h.Claire.Sign(t, proto.NamespaceRevocation, r)); err == nil || !strings.Contains(err.Error(), `"`+field+`"`) {
				t.Errorf("revocation, %s, %s: %v", field, name, err)
			}
		}
	}
	a := approvalAt(s, jobstest.Now())
	a.By, a.For, a.Evidence = "Zoé d'Aÿ (PO) 👩‍💻", strings.Repeat("x", proto.MaxSignedName), "https://x/"+strings.Repeat("x", proto.MaxSignedReason-10)
	if err := approve(h, h.Claire.Sign(t, proto.NamespaceApproval, a)); err != nil {
		t.Errorf("a good one: %v", err)
	}
}

// TestByIsWhoSigned: a text that names another approver than the key's is refused.
func TestByIsWhoSigned(t *testing.T) {
	h := jobstest.NewHost(t)
	s := h.Simulate(jobstest.Plan())
	for by, ok := range map[string]bool{
		"alice": false, "Alice": false, "alice@laptop": false, "claire": true, "Claire@home": true, "the product owner": true, "alice and claire": true,
	} {
		at := jobstest.Now().Add(time.Duration(len(by)) * time.Millisecond)
		a, r := approvalAt(s, at), revocationAt(s, at.Add(-time.Hour))
		a.By, r.By = by, by
		if err := approve(h, h.Claire.Sign(t, proto.NamespaceApproval, a)); (err == nil) != ok && !strings.Contains(err.Error(), "not older") {
			t.Errorf("by %q: %v", by, err)
		}
		if err := revoke(h, h.Claire.Sign(t, proto.NamespaceRevocation, r)); err == nil && !ok {
			t.Errorf("revoked by %q", by)
		}
	}
	// One person with two names and one key is no other.
	h.Parts.Approvers = func() (signature.Signers, error) {
		return append(h.Claire.Key.Signers("claire"), h.Claire.Key.Signers("c.dupont")...), nil
	}
	h.Reopen()
	a := approvalAt(s, jobstest.Now().Add(time.Minute))
	a.By = "c.dupont"
	if err := approve(h, h.Claire.Sign(t, proto.NamespaceApproval, a)); err != nil {
		t.Error(err)
	}
}

// TestRevocationBeatsOlderApprovals, whenever they are handed in, and no newer one.
func TestRevocationBeatsOlderApprovals(t *testing.T) {
	h := jobstest.NewHost(t)
	s := h.Simulate(jobstest.Plan())
	now := jobstest.Now()
	sign := func(at time.Duration) proto.Signed {
		return h.Claire.Sign(t, proto.NamespaceApproval, approvalAt(s, now.Add(at)))
	}
	withdraw := func(by jobstest.Signer, at time.Duration) proto.Signed {
		r := revocationAt(s, now.Add(at))
		r.By = by.Name
		return by.Sign(t, proto.NamespaceRevocation, r)
	}
	kept := sign(-20 * time.Minute)
	if err := approve(h, kept); err != nil || gate3(h) != "" {
		t.Fatalf("%v, %s", err, gate3(h))
	}
	if err := approve(h, kept); err != nil { // a lost answer: it is asked again
		t.Errorf("the same approval again: %v", err)
	}
	if err := approve(h, sign(-21*time.Minute)); err == nil || !strings.Contains(err.Error(), "is not older") {
		t.Errorf("an older approval takes the place of a newer one: %v", err)
	}
	if err := revoke(h, withdraw(h.Claire, -21*time.Minute)); err == nil || !strings.Contains(err.Error(), "approved later") {
		t.Errorf("a revocation of before the approval: %v", err)
	}
	if err := revoke(h, withdraw(h.Claire, 3*time.Minute)); err == nil || !strings.Contains(err.Error(), "future") {
		t.Errorf("a revocation of the future: %v", err)
	}
	if err := revoke(h, withdraw(jobstest.NewSigner(t, "eve"), 0)); err == nil || !strings.Contains(err.Error(), "not accepted here") {
		t.Errorf("a revocation by a stranger: %v", err)
	}
	if err := revoke(h, h.Claire.Sign(t, proto.NamespaceApproval, revocationAt(s, now))); err == nil {
		t.Error("a signature for another purpose revokes")
	}
	other := revocationAt(s, now)
	other.Environment = "prod"
	if err := revoke(h, h.Claire.Sign(t, proto.NamespaceRevocation, other)); err == nil || !strings.Contains(err.Error(), "environment") {
		t.Errorf("a revocation of another environment: %v", err)
	}
	unknown := revocationAt(s, now)
	unknown.Plan = strings.Repeat("0", 64)
	if err := revoke(h, h.Claire.Sign(t, proto.NamespaceRevocation, unknown)); err == nil || !strings.Contains(err.Error(), "not on this host") {
		t.Errorf("a revocation of an unknown plan: %v", err)
	}
	if why := gate3(h); why != "" {
		t.Fatalf("gate 3 is closed by what was refused: %s", why)
	}
	equal := withdraw(h.Alice, -20*time.Minute) // by another approver, and of the very same time
	for range 2 {
		if err := revoke(h, equal); err != nil {
			t.Fatal(err)
		}
	}
	if why := gate3(h); !strings.Contains(why, "alice revoked what was approved until") || !strings.Contains(why, "a centre is wrong") {
		t.Errorf("gate 3 says %q", why)
	}
	if err := revoke(h, withdraw(h.Claire, -22*time.Minute)); err == nil || !strings.Contains(err.Error(), "is kept here") {
		t.Errorf("an older revocation takes the place of a newer one: %v", err)
	}
	for _, at := range []time.Duration{-25 * time.Minute, -20 * time.Minute} {
		if err := approve(h, sign(at)); err == nil && gate3(h) == "" {
			t.Errorf("an approval of %s counts", at)
		}
	}
	if err := approve(h, sign(-time.Minute)); err != nil || gate3(h) != "" {
		t.Errorf("a newer approval: %v, %s", err, gate3(h))
	}
	entries, err := audit.New(h.Parts.State).Last(1)
	if err != nil || entries[0].Action != audit.ActionApprove {
		t.Errorf("%+v, %v", entries, err)
	}
}

// TestRevocationOutlivesItsKey: who left the team cannot approve any more, and what they withdrew stays withdrawn.
func TestRevocationOutlivesItsKey(t *testing.T) {
	h := jobstest.NewHost(t)
	s := h.Simulate(jobstest.Plan())
	if err := approve(h, h.Claire.Sign(t, proto.NamespaceApproval, approvalAt(s, jobstest.Now()))); err != nil {
		t.Fatal(err)
	}
	r := revocationAt(s, jobstest.Now())
	r.By = "alice"
	if err := revoke(h, h.Alice.Sign(t, proto.NamespaceRevocation, r)); err != nil {
		t.Fatal(err)
	}
	h.Parts.Approvers = func() (signature.Signers, error) { return h.Claire.Key.Signers("claire"), nil }
	h.Reopen()
	if why := gate3(h); !strings.Contains(why, "an approver whose key no longer counts here revoked") {
		t.Errorf("gate 3 says %q", why)
	}
}

// TestUnreadableRevocationWantsAnother: it beats every approval, so each refusal asks for a revocation, and the
// approval after that one counts.
func TestUnreadableRevocationWantsAnother(t *testing.T) {
	h := jobstest.NewHost(t)
	s := h.Simulate(jobstest.Plan())
	yes := func(at time.Time) error {
		return approve(h, h.Claire.Sign(t, proto.NamespaceApproval, approvalAt(s, at)))
	}
	if err := yes(jobstest.Now().Add(-2 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	newer := h.Claire.Sign(t, proto.NamespaceRevocation, revocationAt(s, jobstest.Now()))
	newer.Body = strings.Replace(newer.Body, `"nonce"`, `"later":1,"nonce"`, 1)
	if err := h.Service.Plans.SaveSigned(s.Plan, newer); err != nil {
		t.Fatal(err)
	}
	status, err := h.Service.PlanStatus(t.Context(), proto.PlanStatusArgs{Plan: jobstest.Plan()})
	if err != nil {
		t.Fatal(err)
	}
	if gate := status.Gates[gates.Approval-1]; gate.Open || gate.Advice.Code != proto.AdviceRevoke {
		t.Errorf("gate 3: %+v", gate)
	}
	var refused *proto.Error
	if err := yes(jobstest.Now()); !errors.As(err, &refused) || refused.Advice.Code != proto.AdviceRevoke {
		t.Errorf("a newer approval: %v, %+v", err, refused)
	}
	if err := revoke(h, h.Claire.Sign(t, proto.NamespaceRevocation, revocationAt(s, jobstest.Now()))); err != nil {
		t.Fatal(err)
	}
	if err := yes(jobstest.Now().Add(time.Second)); err != nil || gate3(h) != "" {
		t.Errorf("after another revocation: %v, %s", err, gate3(h))
	}
}

// TestRemovedKeyNoLongerApproves: an approval whose key was taken out of the approvers file opens nothing.
func TestRemovedKeyNoLongerApproves(t *testing.T) {
	h := jobstest.NewHost(t)
	h.Approve(jobstest.Plan())
	if why := gate3(h); why != "" {
		t.Fatal(why)
	}
	h.Parts.Approvers = func() (signature.Signers, error) { return h.Alice.Key.Signers("alice"), nil }
	h.Reopen()
	if why := gate3(h); !strings.Contains(why, "nobody has approved this plan") || !strings.Contains(why, "not accepted here") {
		t.Errorf("gate 3 says %q", why)
	}
	_, err := h.Start(proto.JobStartArgs{ID: h.NewID(), Kind: proto.KindApply, Plan: jobstest.Plan()})
	refusal(t, err, proto.CodeGate, "gate 3 (approval)")
}

// TestRequireSK: where the host asks for hardware keys, no other key approves or revokes, and gate 3 says so.
func TestRequireSK(t *testing.T) {
	touched, untouched := signaturetest.NewED25519(t, signaturetest.Touched), signaturetest.NewED25519(t, 0)
	for name, c := range map[string]struct {
		key  ssh.Signer
		want string // of the refusal; empty: accepted
	}{
		"ed25519":                       {nil, "require_sk wants a hardware key"},
		"sk-ed25519":                    {touched, ""},
		"sk-ecdsa":                      {signaturetest.NewECDSA(t, signaturetest.Touched), ""},
		"sk-ed25519 without the person": {untouched, "the text was changed, or signed by another key"},
	} {
		t.Run(name, func(t *testing.T) {
			h := jobstest.NewHost(t)
			h.Parts.Config.Console.RequireSK = true
			sign := func(namespace string, body any) proto.Signed {
				if c.key == nil {
					return h.Claire.Sign(t, namespace, body)
				}
				signed, err := signature.Sign(c.key, namespace, proto.CanonicalBody(body))
				if err != nil {
					t.Fatal(err)
				}
				return signed
			}
			h.Parts.Approvers = func() (signature.Signers, error) {
				all := h.Claire.Key.Signers("claire")
				if c.key != nil {
					all = append(all, signature.Signer{Principal: "claire", Key: c.key.PublicKey()})
				}
				return all, nil
			}
			h.Reopen()
			s := h.Simulate(jobstest.Plan())
			for _, err := range []error{
				approve(h, sign(proto.NamespaceApproval, approvalAt(s, jobstest.Now()))),
				revoke(h, sign(proto.NamespaceRevocation, revocationAt(s, jobstest.Now()))),
			} {
				if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
					t.Errorf("%v, want %q", err, c.want)
				}
			}
		})
	}
	// The rule comes later than the approval: it counts at once.
	h := jobstest.NewHost(t)
	h.Approve(jobstest.Plan())
	h.Parts.Config.Console.RequireSK = true
	h.Reopen()
	if why := gate3(h); !strings.Contains(why, "require_sk") {
		t.Errorf("gate 3 says %q", why)
	}
}

// TestRequireSKBreaksTheGlass: a start behind a broken glass is signed by a hardware key where the host asks for those,
// and any other start by any key.
func TestRequireSKBreaksTheGlass(t *testing.T) {
	touched := signaturetest.NewED25519(t, signaturetest.Touched)
	h, p := jobstest.NewHost(t), jobstest.Plan()
	h.Parts.Config.Console.BreakGlass, h.Parts.Config.Console.RequireSK = true, true
	approvers := h.Parts.Approvers
	h.Parts.Approvers = func() (signature.Signers, error) {
		all, err := approvers()
		return append(all, signature.Signer{Principal: "alice", Key: touched.PublicKey()}), err
	}
	h.Reopen()
	h.Simulate(p)
	args := proto.JobStartArgs{ID: h.NewID(), Kind: proto.KindApply, Plan: p, BreakGlass: "people sleep outside"}
	signed := h.Alice.Sign(t, proto.NamespaceIntent, h.Statement(args))
	args.Intent = &signed
	_, err := h.Start(args)
	refusal(t, err, proto.CodeGate, "the start breaks the glass, and require_sk wants")
	if signed, err = signature.Sign(touched, proto.NamespaceIntent, proto.CanonicalBody(h.Statement(args))); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Start(args); err != nil {
		t.Error(err)
	}
	h.Finish(args.ID)

	// A plain start by a plain key.
	h, p = jobstest.NewHost(t), jobstest.Plan()
	h.Parts.Config.Console.RequireSK = true
	h.Parts.Approvers = func() (signature.Signers, error) {
		all, err := approvers()
		return append(append(all, h.Alice.Key.Signers("alice")...), signature.Signer{Principal: "claire", Key: touched.PublicKey()}), err
	}
	h.Reopen()
	s := h.Simulate(p)
	approval, err := signature.Sign(touched, proto.NamespaceApproval, proto.CanonicalBody(approvalAt(s, jobstest.Now())))
	if err != nil {
		t.Fatal(err)
	}
	if err := approve(h, approval); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Start(h.Signed(h.Alice, proto.JobStartArgs{ID: h.NewID(), Kind: proto.KindApply, Plan: p})); err != nil {
		t.Error(err)
	}
}
