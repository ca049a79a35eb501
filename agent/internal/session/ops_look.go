package session

import (
	"context"

	"github.com/re-connect/rpctl/agent/internal/lease"
	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/proto"
)

const defaultHistory = 20

func (s *session) status(ctx context.Context, request proto.Request) (any, error) {
	if err := decodeArgs(request, &struct{}{}); err != nil {
		return nil, err
	}
	status, err := s.host.Workers.Status(ctx)
	if err != nil {
		return nil, err
	}
	status.Host, status.Environment = s.host.Name, s.host.Config.Environment
	status.Agent, status.Time = s.host.Agent, s.now().UTC()
	// A host whose own state cannot be read still says how its workers are.
	if status.Lease, err = lease.HolderOf(s.host.State); err != nil {
		status.Problems = append(status.Problems, proto.HostText(err.Error()))
	}
	if status.LastDeploy, err = s.audit.LastDeploy(status.Lease); err != nil {
		status.Problems = append(status.Problems, proto.HostText(err.Error()))
	}
	if s.host.Jobs != nil {
		if status.Jobs, status.Plans, err = s.host.Jobs.Overview(ctx); err != nil {
			status.Problems = append(status.Problems, proto.HostText(err.Error()))
		}
		for _, plan := range status.Plans {
			if len(plan.Waiting) > 0 && plan.Job == "" {
				status.Problems = append(status.Problems, proto.Textf("plan %s (%s): step %s waits for an operator's word",
					plan.Plan[:12], printable.Excerpt(string(plan.Centre), 60), plan.Waiting[0]))
			}
		}
	}
	return status, nil
}

func (s *session) release(_ context.Context, request proto.Request) (any, error) {
	if err := decodeArgs(request, &struct{}{}); err != nil {
		return nil, err
	}
	return s.host.Releases.Current()
}

func (s *session) doctor(ctx context.Context, request proto.Request) (any, error) {
	if err := decodeArgs(request, &struct{}{}); err != nil {
		return nil, err
	}
	return s.host.Doctor.Run(ctx), nil
}

func (s *session) history(_ context.Context, request proto.Request) (any, error) {
	var args proto.HistoryArgs
	if err := decodeArgs(request, &args); err != nil {
		return nil, err
	}
	if args.Limit < 0 || args.Limit > proto.MaxHistory {
		return nil, badRequest("limit %d is not between 0 and %d", args.Limit, proto.MaxHistory)
	}
	if args.Limit == 0 {
		args.Limit = defaultHistory
	}
	entries, err := s.audit.Last(args.Limit)
	if entries == nil {
		entries = []proto.AuditEntry{}
	}
	return proto.History{Entries: entries}, err
}

// auditSince gives the lines after an entry, so that the controller can see for itself that what it knew is still in the chain.
func (s *session) auditSince(_ context.Context, request proto.Request) (any, error) {
	var args proto.AuditSinceArgs
	if err := decodeArgs(request, &args); err != nil {
		return nil, err
	}
	if args.After < 0 {
		return nil, badRequest("after %d is no entry's number", args.After)
	}
	lines, err := s.audit.Since(args.After)
	return proto.AuditLines{Lines: lines}, err
}

func (s *session) auditVerify(_ context.Context, request proto.Request) (any, error) {
	if err := decodeArgs(request, &struct{}{}); err != nil {
		return nil, err
	}
	return s.audit.Verify()
}
