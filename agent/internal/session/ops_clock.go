package session

import (
	"context"
	"fmt"
	"time"

	"github.com/re-connect/rpctl/agent/internal/audit"
	"github.com/re-connect/rpctl/proto"
)

// clockReset makes this host's clock the newest time of its audit, at root's request alone: whoever may lower
// the mark may use expired approvals.
func (s *session) clockReset(_ context.Context, request proto.Request) (any, error) {
	if err := decodeArgs(request, &struct{}{}); err != nil {
		return nil, err
	}
	if s.caller.UID != 0 {
		refused := &proto.Error{Code: proto.CodeForbidden, Message: "cannot accept the clock: root alone may",
			Advice: proto.Advice{Code: proto.AdviceClockReset}}
		s.auditRefusal(request, refused)
		return nil, refused
	}
	before, err := s.audit.Newest()
	if err != nil {
		return nil, err
	}
	entry := s.entry(request, audit.ActionClock)
	entry.Detail = fmt.Sprintf("the newest time of the audit was %s", before.UTC().Format(time.RFC3339))
	now, err := s.audit.Append(entry)
	if err != nil {
		return nil, err
	}
	return proto.ClockReset{Before: before, Now: now.Time}, nil
}
