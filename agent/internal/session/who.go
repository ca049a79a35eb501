package session

import (
	"errors"
	"fmt"
	"strings"

	"github.com/re-connect/rpctl/agent/internal/audit"
	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/proto"
)

// maxTold bounds what is kept of a name that the caller only tells, in bytes.
const maxTold = 200

// entry is an audit entry about what request asks for: the user proved by the
// kernel, operator and origin as they were told.
func (s *session) entry(request proto.Request, action string) proto.AuditEntry {
	return proto.AuditEntry{
		Action:   action,
		Operator: printable.Excerpt(request.Operator, maxTold),
		User:     s.caller.User,
		UID:      s.caller.UID,
		From:     s.from(),
		Purpose:  s.leased.Purpose,
	}
}

// from is where the login came from, as its bridge told: the first word of sshd's SSH_CONNECTION.
func (s *session) from() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	words := strings.Fields(s.bridge.SSHConnection)
	if len(words) == 0 {
		return ""
	}
	return printable.Excerpt(words[0], maxTold)
}

// auditRefusal notes that a change was asked for and refused, or counts it (audit.Refuse). The refusal stands
// whether it can be noted or not.
func (s *session) auditRefusal(request proto.Request, why error) {
	s.refusals++
	entry := s.entry(request, audit.ActionRefused)
	entry.Detail = fmt.Sprintf("%s: %v", request.Op, why)
	var refused *proto.Error
	if errors.As(why, &refused) {
		entry.Result = string(refused.Code)
	}
	if err := s.audit.Refuse(entry); err != nil {
		s.log(err)
	}
}
