package plans

import (
	"fmt"
	"time"

	"github.com/re-connect/rpctl/proto"
)

// Approve judges an approval and keeps it: it is signed by an approver of this host, for this
// environment, and for exactly the figures of this host's own simulation. It returns the plan's digest.
// tell is called before it is kept, and its error refuses it: an approval that counts was told of.
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
	var approval proto.Approval
	if signer, err = Open(approvers, signed, proto.NamespaceApproval, &approval, now); err != nil {
		return "", "", refuse(err.Error()+" (the keys that may are in /etc/rp-agent/approvers of this host)", "rpctl migrate approve --plan PLAN --env "+f.Environment)
	}
	again := "rpctl migrate --plan PLAN --env " + f.Environment
	switch {
	case approval.Environment != f.Environment:
		return "", "", refuse(fmt.Sprintf("it is for environment %.40q", approval.Environment), "")
	case !now.Before(approval.Expires) || now.After(approval.Time.Add(rules.ApprovalLife())):
		return "", "", refuse("it has expired", "rpctl migrate approve --plan PLAN --env "+f.Environment)
	case approval.Expires.Sub(approval.Time) > rules.ApprovalLife():
		return "", "", refuse(fmt.Sprintf("it shall be good for longer than the %d days that this host allows", rules.ApprovalLife()/(24*time.Hour)),
			"rpctl migrate approve --plan PLAN --env "+f.Environment)
	case approval.Time.After(now.Add(proto.ClockSkew)):
		return "", "", refuse("it is of the future: one of two clocks is wrong", "timedatectl")
	}
	e, err := f.Evidence(approval.Plan, now)
	switch {
	case err != nil:
		return "", "", err
	case e.Simulation == nil:
		return "", "", refuse("this plan was not simulated on "+f.Host, again)
	case e.Simulation.FiguresDigest() != approval.Figures:
		return "", "", refuse("its figures are not those of the simulation on "+f.Host+": approve what a new one shows", again)
	}
	return approval.Plan, signer, nil
}

func refuse(why, next string) *proto.Error {
	return &proto.Error{Code: proto.CodeGate, Message: "cannot accept the approval: " + why, Next: next}
}
