package plans

import (
	"fmt"
	"time"

	"github.com/re-connect/rpctl/proto"
)

// Revoked is the revocation that is kept for a plan. It only restricts, so it stays in force when the key that
// signed it no longer counts, and when this agent cannot read it.
type Revoked struct {
	proto.Revocation
	Signer string // as the approvers file has it; empty where the key no longer counts
	Signed proto.Signed
	// Unread says that what is kept cannot be understood: then it beats every approval.
	Unread bool
}

// beats says whether an approval of this time is withdrawn.
func (r *Revoked) beats(at time.Time) bool {
	return r != nil && (r.Unread || !at.After(r.Time))
}

// told is what happened, for the reason of a closed gate.
func (r *Revoked) told() string {
	if r.Unread {
		return "a revocation is kept here that this rp-agent cannot read"
	}
	who, why := r.Signer, ""
	if who == "" {
		who = "an approver whose key no longer counts here"
	}
	if r.Reason != "" {
		why = ": " + r.Reason
	}
	return fmt.Sprintf("%s revoked what was approved until %s%s", who, stamp(r.Time), why)
}

// Withdrawn says who revoked an approval that was opened before, and why; nothing while it counts. A newer approval
// does not bring back what was revoked before it.
func (e Evidence) Withdrawn(approval proto.Signed) string {
	var a proto.Approval
	if err := proto.DecodeStrict([]byte(approval.Body), &a); err != nil {
		return "the approval that the job began with is not understood"
	}
	if !e.Revocation.beats(a.Time) {
		return ""
	}
	return e.Revocation.told()
}

// Revoke judges a revocation and keeps it. It returns the plan's digest. tell is called before it is kept, and its error refuses it.
// The caller keeps other approvals and revocations out meanwhile.
func (f Folder) Revoke(signed proto.Signed, now time.Time, tell func(digest, signer, reason string) error) (string, error) {
	revocation, signer, err := f.judgeRevocation(signed, now)
	if err == nil {
		err = tell(revocation.Plan, signer, revocation.Reason)
	}
	if err != nil {
		return "", err
	}
	return revocation.Plan, f.SaveSigned(revocation.Plan, signed)
}

func (f Folder) judgeRevocation(signed proto.Signed, now time.Time) (proto.Revocation, string, error) {
	bad := func(why string, next proto.Advice) (proto.Revocation, string, error) {
		return proto.Revocation{}, "", &proto.Error{Code: proto.CodeGate, Message: proto.HostText("cannot accept the revocation: " + why), Advice: next}
	}
	again := proto.Advice{Code: proto.AdviceRevoke}
	approvers, err := f.Keys.Approvers()
	if err != nil {
		return proto.Revocation{}, "", err
	}
	var revocation proto.Revocation
	signer, err := Open(approvers, signed, proto.NamespaceRevocation, &revocation, now)
	if err != nil {
		return bad(err.Error()+" (the keys that may are in /etc/rp-agent/approvers of this host)", again)
	}
	switch other := another(approvers, revocation.By, signer, signed); {
	case revocation.Environment != f.Environment:
		return bad(fmt.Sprintf("it is for environment %.40q", revocation.Environment), proto.Advice{})
	case other != "":
		return bad(fmt.Sprintf("it says that %q revokes, and the key is that of %s", other, signer), again)
	case revocation.Time.After(now.Add(proto.ClockSkew)):
		return bad("it is of the future: one of two clocks is wrong", proto.Advice{Code: proto.AdviceClock})
	}
	if _, err := f.Plan(revocation.Plan); err != nil {
		return bad(err.Error(), proto.Advice{Code: proto.AdvicePlanStatus})
	}
	e, err := f.Evidence(revocation.Plan, now)
	switch {
	case err != nil:
		return revocation, "", err
	case e.Revocation != nil && !e.Revocation.Unread && e.Revocation.Signed.Body != signed.Body && !revocation.Time.After(e.Revocation.Time):
		return bad(fmt.Sprintf("it is of %s, and one of %s is kept here", stamp(revocation.Time), stamp(e.Revocation.Time)), again)
	case e.Approval != nil && e.Approval.Time.After(revocation.Time):
		return bad(fmt.Sprintf("it is of %s, and %s approved later, at %s", stamp(revocation.Time), e.Approval.Signer, stamp(e.Approval.Time)), again)
	}
	return revocation, signer, nil
}

// revocation reads the revocation that is kept for a plan; nil when there is none.
func (f Folder) revocation(digest string, now time.Time) (*Revoked, error) {
	var signed proto.Signed
	there, err := f.read(digest, fileOf[proto.NamespaceRevocation], &signed)
	if err != nil || !there {
		return nil, err
	}
	kept := &Revoked{Signed: signed}
	if err := proto.DecodeStrict([]byte(signed.Body), &kept.Revocation); err != nil || bounded(&kept.Revocation) != nil {
		return &Revoked{Signed: signed, Unread: true}, nil
	}
	approvers, err := f.Keys.Approvers()
	if err != nil {
		return nil, err
	}
	if signer, err := Open(approvers, signed, proto.NamespaceRevocation, &proto.Revocation{}, now); err == nil {
		kept.Signer = signer
	}
	return kept, nil
}
