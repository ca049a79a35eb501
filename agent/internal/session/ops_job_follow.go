package session

import (
	"context"

	"github.com/re-connect/rpctl/proto"
)

// jobFollow gives out a job's changes and its output. The caller may go at any time: the job does not notice.
func (s *session) jobFollow(ctx context.Context, request proto.Request) (any, error) {
	var args proto.JobFollowArgs
	work, err := s.jobArgs(request, &args)
	if err != nil {
		return nil, err
	}
	if args.Wait {
		var end func()
		ctx, end = s.whileWatched(ctx)
		defer end()
	}
	job, err := work.Follow(ctx, args, viewer{s, request.ID})
	if args.Wait && s.input.Err() != nil {
		return job, nil // the caller has gone
	}
	return job, err
}

// viewer is the caller of a follow.
type viewer struct {
	session *session
	id      int64
}

func (v viewer) Job(job proto.Job) error {
	v.session.event(proto.Event{Event: proto.EventJob, ID: v.id, Job: &job})
	return context.Cause(v.session.reach)
}

func (v viewer) Output(stream string, offset int64, raw []byte) error {
	if err := v.session.out.WriteOutput(v.id, stream, offset, raw); err != nil {
		v.session.lose(err)
		return err
	}
	return context.Cause(v.session.reach)
}
