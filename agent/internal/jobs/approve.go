package jobs

import (
	"context"
	"fmt"

	"github.com/re-connect/rpctl/agent/internal/audit"
	"github.com/re-connect/rpctl/proto"
)

// Approve judges an approval and keeps it. The audit line is written first: two lines are better than none.
func (s *Service) Approve(ctx context.Context, args proto.ApproveArgs, caller Caller) (proto.PlanStatus, error) {
	return s.decide(ctx, func() (string, error) {
		return s.Plans.Approve(args.Approval, s.rules(), s.now(), func(digest, signer string) error {
			return s.tell(caller, audit.ActionApprove, fmt.Sprintf("plan %s approved by %s", digest, signer))
		})
	})
}

// Revoke judges a revocation and keeps it, as Approve does an approval.
func (s *Service) Revoke(ctx context.Context, args proto.RevokeArgs, caller Caller) (proto.PlanStatus, error) {
	return s.decide(ctx, func() (string, error) {
		return s.Plans.Revoke(args.Revocation, s.now(), func(digest, signer, reason string) error {
			return s.tell(caller, audit.ActionRevoke, fmt.Sprintf("plan %s: %s revokes what was approved so far %s", digest, signer, reason))
		})
	})
}

// decide keeps one signed decision of a person at a time, so that an older one never takes the place of a
// newer one, and returns where the plan stands with it.
func (s *Service) decide(ctx context.Context, keep func() (digest string, err error)) (proto.PlanStatus, error) {
	release, err := s.Jobs.Admit(ctx)
	if err != nil {
		return proto.PlanStatus{}, err
	}
	digest, err := keep()
	release()
	if err != nil {
		return proto.PlanStatus{}, err
	}
	p, err := s.Plans.Plan(digest)
	if err != nil {
		return proto.PlanStatus{}, err
	}
	return s.PlanStatus(ctx, proto.PlanStatusArgs{Plan: p})
}

func (s *Service) tell(caller Caller, action, detail string) error {
	_, err := s.Audit.Append(proto.AuditEntry{Action: action, Operator: caller.Operator, User: caller.User, UID: caller.UID, From: caller.From, Detail: detail})
	return err
}
