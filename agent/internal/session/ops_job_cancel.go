package session

import (
	"context"

	"github.com/re-connect/rpctl/proto"
)

// jobCancel asks a job to stop; that it was asked is in the audit, whoever asked.
func (s *session) jobCancel(ctx context.Context, request proto.Request) (any, error) {
	var args proto.JobCancelArgs
	work, err := s.jobArgs(request, &args)
	if err != nil {
		return nil, err
	}
	return work.Cancel(ctx, args, s.jobCaller(request))
}
