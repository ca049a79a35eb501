package plans

import (
	"fmt"
	"strings"
	"time"

	"github.com/re-connect/rpctl/internal/signature"
	"github.com/re-connect/rpctl/proto"
)

// Approve judges an approval and keeps it: it is signed by an approver of this host, for this
// environment, and for exactly the figures of this host's own simulation. It returns the plan's digest.
// tell is called before it is kept, and its error refuses it: an approval that counts was told of.
// The caller keeps other approvals and revocations out meanwhile.
func (f Folder) Approve(signed proto.Signed, rules proto.Console, now time.Time, tell func(digest, signer string) error) (string, error) {
	digest, signer, err := f.judge(signed, rules, now)
	if err == nil {
		err = tell(digest, signer)
	}
	if err != nil {
		return "", err
	}
	return digest, f.SaveSigned(digest, signed)
}

// judge says for which plan an approval counts, and whose it is.
func (f Folder) judge(signed proto.Signed, rules proto.Console, now time.Time) (digest, signer string, err error) {
	approvers, err := f.Keys.Approvers()
	if err != nil {
		return "", "", err
	}
	again := proto.Advice{Code: proto.AdviceApprove}
	var approval proto.Approval
	if signer, err = Open(approvers, signed, proto.NamespaceApproval, &approval, now); err != nil {
		return "", "", refuse(err.Error()+" (the keys that may are in /etc/rp-agent/approvers of this host)", again)
	}
	switch other := another(approvers, approval.By, signer, signed); {
	case approval.Environment != f.Environment:
		return "", "", refuse(fmt.Sprintf("it is for environment %.40q", approval.Environment), proto.Advice{})
	case other != "":
		return "", "", refuse(fmt.Sprintf("it says that %q approves, and the key is that of %s", other, signer), again)
	case approval.BreakGlass != "" && !rules.BreakGlass:
		return "", "", refuse("break-glass is not allowed by this host's agent.toml", proto.Advice{Code: proto.AdvicePlanStatus})
	case !now.Before(approval.Expires) || now.After(approval.Time.Add(approval.Life(rules))):
		return "", "", refuse("it has expired", again)
	case approval.Expires.Sub(approval.Time) > approval.Life(rules):
		return "", "", refuse(fmt.Sprintf("it shall be good for longer than the %d days that this host allows", approval.Life(rules)/(24*time.Hour)), again)
	case approval.Time.After(now.Add(proto.ClockSkew)):
		return "", "", refuse("it is of the future: one of two clocks is wrong", proto.Advice{Code: proto.AdviceClock})
	}
	e, err := f.Evidence(approval.Plan, now)
	simulate := proto.Advice{Code: proto.AdviceSimulate}
	switch {
	case err != nil:
		return "", "", err
	case e.Simulation == nil:
		return "", "", refuse("this plan was not simulated on "+f.Host, simulate)
	case e.Simulation.FiguresDigest() != approval.Figures:
		return "", "", refuse("its figures are not those of the simulation on "+f.Host+": approve what a new one shows", simulate)
	case e.Approval != nil && e.SignedApproval.Body != signed.Body && !approval.Time.After(e.Approval.Time):
		return "", "", refuse(fmt.Sprintf("it is of %s, and the approval of %s that is kept here is not older", stamp(approval.Time), e.Approval.Signer), again)
	case e.Revocation != nil && e.Revocation.Unread:
		return "", "", refuse(e.Revocation.told(), proto.Advice{Code: proto.AdviceRevoke})
	case e.Revocation.beats(approval.Time):
		return "", "", refuse(fmt.Sprintf("it is of %s, and %s", stamp(approval.Time), e.Revocation.told()), again)
	}
	return approval.Plan, signer, nil
}

// another is the approver that a signed text names and that did not sign it; empty where it names none. A
// name may be followed by a machine's: alice@laptop.
func another(approvers signature.Signers, by, signer string, signed proto.Signed) string {
	user, _, _ := strings.Cut(by, "@")
	key, named := signature.PublicKey(signed), ""
	for _, a := range approvers {
		if !strings.EqualFold(a.Principal, by) && !strings.EqualFold(a.Principal, user) {
			continue
		}
		if strings.EqualFold(a.Principal, signer) || signature.Line(a.Key) == key { // the same person under another name
			return ""
		}
		named = a.Principal
	}
	return named
}

func stamp(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05 UTC") }

func refuse(why string, next proto.Advice) *proto.Error {
	return &proto.Error{Code: proto.CodeGate, Message: proto.HostText("cannot accept the approval: " + why), Advice: next}
}
