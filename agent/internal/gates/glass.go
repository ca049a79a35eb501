package gates

import (
	"fmt"

	"github.com/re-connect/rpctl/proto"
)

// passable are the gates that a broken glass opens, where the host's file allows it at all.
var passable = map[int]bool{Approval: true, Before: true}

// glass says why a broken glass opens nothing: the host's file does not allow it, or it is not signed. An operator
// of this host signs the start with its reason, always. Where the host wants two people, an approver who is another
// person has signed the same reason, for exactly these figures.
func glass(s Standing) *proto.Error {
	switch {
	case !s.Rules.BreakGlass:
		return refuse(0, "break-glass is not allowed by this host's agent.toml", look()) // which gates are closed, and what opens them
	case s.Intent == "":
		return refuse(Approval, "gate 3 (approval) is closed: breaking the glass is not signed by an operator whom this host knows: apply it with a key that stands in /etc/rp-agent/approvers", proto.Advice{Code: proto.AdviceKeys})
	case s.Rules.SelfApproval:
		return nil
	}
	ask := proto.Advice{Code: proto.AdviceApprove}
	closed := func(why string, next proto.Advice) *proto.Error {
		return refuse(Approval, "gate 3 (approval) is closed: breaking the glass takes two people here, the second signs it with `migrate approve --break-glass`: "+why, next)
	}
	if why, next := approved(s); why != "" {
		return closed(why, next)
	}
	switch a := s.Approval; {
	case a.BreakGlass == "":
		return closed(a.Signer+" approved the plan, and not that the glass is broken", ask)
	case a.BreakGlass != s.BreakGlass:
		return closed(fmt.Sprintf("%s approved another reason: %.500q", a.Signer, a.BreakGlass), look())
	}
	if why, next := another(s); why != "" {
		return closed(why, next)
	}
	return nil
}
