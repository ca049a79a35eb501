package session

import (
	"errors"

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
	barred := s.barred(look, "look at this host")
	switch {
	case s.host.Refused != nil:
		hello.Error = s.host.Refused
	case barred != nil:
		hello.Error = barred
	case s.stateRefused(&hello):
	default:
		hello.Environment = s.host.Config.Environment
		hello.Config = &s.host.Config
		hello.ReceiptKey = s.host.ReceiptKey
		if s.host.Signers != nil {
			hello.Signers = s.host.Signers()
		}
		if head, err := s.audit.Head(); err == nil { // otherwise the operations that need the audit say why
			hello.Audit = &head
		}
	}
	s.event(hello)
	return hello.Error == nil
}

// stateRefused brings the state folder to this agent's form, and says whether the greeting ends with why it cannot.
func (s *session) stateRefused(hello *proto.Hello) bool {
	err := stateform.Bring(s.stop, s.host.State)
	if err != nil && !errors.As(err, &hello.Error) {
		hello.Error = &proto.Error{Code: proto.CodeStorage, Message: proto.HostText(err.Error()), Advice: proto.Advice{Code: proto.AdviceDisk, Path: s.host.State}}
	}
	return err != nil
}
