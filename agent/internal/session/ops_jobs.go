package session

import (
	"context"

	"github.com/re-connect/rpctl/proto"
)

// jobs is the host's jobs, newest first.
func (s *session) jobs(ctx context.Context, request proto.Request) (any, error) {
	var args proto.JobsArgs
	work, err := s.jobArgs(request, &args)
	if err != nil {
		return nil, err
	}
	return work.List(ctx, args)
}
