package session

import (
	"errors"
	"slices"
	"strings"

	"github.com/re-connect/rpctl/agent/internal/peer"
	"github.com/re-connect/rpctl/proto"
)

// right is what a caller needs for an operation.
type right int

const (
	look right = iota
	act
)

// permits says whether the groups of a caller give the right. Who may act may look, and root may do both: it could do
// so without the agent anyway.
func permits(config proto.HostConfig, caller peer.Caller, r right) bool {
	return caller.UID == 0 || caller.In(config.Act) || r == look && caller.In(config.Look)
}

// barred returns why the caller does not have the right at this moment, or nil. what completes "cannot ...". The groups
// are looked up for each question, since a connection may outlive a membership.
func (s *session) barred(r right, what string) *proto.Error {
	if s.caller.UID == 0 {
		return nil
	}
	now := s.caller
	if s.host.Recheck != nil {
		var err error
		if now, err = s.host.Recheck(s.caller); err != nil {
			return &proto.Error{Code: proto.CodeForbidden, Message: proto.HostText("cannot " + what + ": " + err.Error()), Advice: proto.Advice{Code: proto.AdviceIdentity, Account: s.caller.User}}
		}
	}
	config := s.host.Config
	if permits(config, now, r) {
		return nil
	}
	groups := slices.Clone(config.Act)
	if r == look {
		groups = append(groups, config.Look...)
	}
	slices.Sort(groups)
	why := s.caller.User + " is in none of the groups that may (" + strings.Join(slices.Compact(groups), ", ") + ")"
	if permits(config, s.caller, r) {
		why += ", and was in one when it logged in"
	}
	return &proto.Error{Code: proto.CodeForbidden, Advice: proto.Advice{Code: proto.AdviceIdentity, Account: s.caller.User},
		Message: proto.HostText("cannot " + what + ": " + why + "; an administrator of the host may put them into one, from the next login on")}
}

var errBarred = errors.New("the caller is not a member of the groups any more")

// stillMay says whether a caller that holds the host, or follows something, still has the right to.
func (s *session) stillMay() bool {
	s.mu.Lock()
	watched, need := s.watched > 0, look
	if s.holds {
		need = act
	}
	s.mu.Unlock()
	return !watched || s.barred(need, "go on") == nil
}
