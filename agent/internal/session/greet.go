package session

import (
	"errors"
	"slices"
	"strings"

	"github.com/re-connect/rpctl/agent/internal/stateform"
	"github.com/re-connect/rpctl/proto"
)

// greet sends the greeting and says whether there is anything to serve. Who may not look
// learns nothing of the host but its name.
func (s *session) greet() bool {
	hello := proto.Hello{
		Event: proto.EventHello, Marker: proto.Marker,
		Agent: s.host.Agent, Protocol: proto.Speaks(), Capabilities: capabilities(), Host: s.host.Name,
	}
	switch {
	case s.host.Refused != nil:
		hello.Error = s.host.Refused
	case !s.may(look):
		groups := slices.Concat(s.host.Config.Look, s.host.Config.Act)
		slices.Sort(groups)
		hello.Error = s.forbidden("look at this host", slices.Compact(groups))
	case s.stateRefused(&hello):
	default:
		hello.Environment = s.host.Config.Environment
		hello.Config = &s.host.Config
		hello.ReceiptKey = s.host.ReceiptKey
	}
	s.event(hello)
	return hello.Error == nil
}

// right is what a caller needs for an operation.
type right int

const (
	look right = iota
	act
)

// may says whether the caller's groups give the right. Who may act may look, and root
// may do both: it could do so without the agent anyway.
func (s *session) may(r right) bool {
	config := s.host.Config
	return s.caller.UID == 0 || s.caller.In(config.Act) || r == look && s.caller.In(config.Look)
}

// stateRefused brings the state folder to this agent's form, and says whether the greeting ends with why it cannot.
func (s *session) stateRefused(hello *proto.Hello) bool {
	err := stateform.Bring(s.stop, s.host.State)
	if err != nil && !errors.As(err, &hello.Error) {
		hello.Error = &proto.Error{Code: proto.CodeStorage, Message: err.Error(), Next: "df -h " + s.host.State}
	}
	return err != nil
}

func (s *session) forbidden(what string, groups []string) *proto.Error {
	return &proto.Error{
		Code:    proto.CodeForbidden,
		Message: "cannot " + what + ": " + s.caller.User + " is in none of the groups that may (" + strings.Join(groups, ", ") + "); an administrator of the host may put them into one, from the next login on",
		Next:    "id " + s.caller.User,
	}
}
