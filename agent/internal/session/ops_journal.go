package session

import (
	"context"

	"github.com/re-connect/rpctl/proto"
)

const defaultLines = 20

func (s *session) journal(ctx context.Context, request proto.Request) (any, error) {
	var args proto.JournalArgs
	if err := s.workerArgs(request, &args, &args.Only); err != nil {
		return nil, err
	}
	if args.Lines < 0 || args.Lines > proto.MaxLogLines {
		return nil, badRequest("lines %d is not between 0 and %d", args.Lines, proto.MaxLogLines)
	}
	if args.Lines == 0 {
		args.Lines = defaultLines
	}
	names, err := s.journalUnits(ctx, args.Only)
	if err != nil {
		return nil, err
	}
	if args.Follow {
		var end func()
		ctx, end = s.whileWatched(ctx)
		defer end()
	}
	err = s.host.Journal.Follow(ctx, names, args.Lines, args.Follow, func(line proto.LogLine) error {
		if len(line.Message) > proto.MaxLogMessage {
			line.Message = line.Message[:proto.MaxLogMessage] + "…"
		}
		s.event(proto.Event{Event: proto.EventLog, ID: request.ID, Log: &line})
		return ctx.Err()
	})
	if args.Follow && s.input.Err() != nil {
		return struct{}{}, nil // the caller has gone, and a follow has no other end
	}
	if err == nil {
		err = context.Cause(ctx)
	}
	return struct{}{}, err
}

// journalUnits is the units whose journal is asked for.
func (s *session) journalUnits(ctx context.Context, only []proto.UnitPattern) ([]string, error) {
	patterns, err := s.host.Workers.Units(ctx, only)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, p := range patterns {
		names = append(names, p.Units...)
	}
	if len(names) == 0 {
		return nil, &proto.Error{Code: proto.CodeNoUnits, Message: "cannot show the journal: no instance is expected on this host: enable those that ought to run",
			Advice: proto.Advice{Code: proto.AdviceUnitFiles}}
	}
	return names, nil
}
