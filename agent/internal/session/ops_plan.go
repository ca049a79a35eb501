package session

import (
	"context"

	"github.com/re-connect/rpctl/proto"
)

// planStatus is where a plan stands here, gate by gate.
func (s *session) planStatus(ctx context.Context, request proto.Request) (any, error) {
	var args proto.PlanStatusArgs
	work, err := s.jobArgs(request, &args)
	if err != nil {
		return nil, err
	}
	return work.PlanStatus(ctx, args)
}

// approve takes an approval, when its signature and its figures are good here.
func (s *session) approve(ctx context.Context, request proto.Request) (any, error) {
	var args proto.ApproveArgs
	work, err := s.jobArgs(request, &args)
	if err != nil {
		return nil, err
	}
	status, err := work.Approve(ctx, args, s.jobCaller(request))
	if err != nil {
		s.auditRefusal(request, err)
		return nil, err
	}
	return status, nil
}

// revoke takes a revocation of approvals, when its signature is good here.
func (s *session) revoke(ctx context.Context, request proto.Request) (any, error) {
	var args proto.RevokeArgs
	work, err := s.jobArgs(request, &args)
	if err != nil {
		return nil, err
	}
	status, err := work.Revoke(ctx, args, s.jobCaller(request))
	if err != nil {
		s.auditRefusal(request, err)
		return nil, err
	}
	return status, nil
}
