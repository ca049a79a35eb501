package session

import (
	"context"

	"github.com/re-connect/rpctl/agent/internal/jobs"
	"github.com/re-connect/rpctl/proto"
)

// jobStart starts a job, or finds the one that was started under this id. It needs no lease: a job
// holds the application by itself, so that a closed laptop frees nothing.
func (s *session) jobStart(ctx context.Context, request proto.Request) (any, error) {
	var args proto.JobStartArgs
	work, err := s.jobArgs(request, &args)
	if err != nil {
		return nil, err
	}
	job, err := work.Start(ctx, args, s.jobCaller(request))
	if err != nil {
		s.auditRefusal(request, err)
		return nil, err
	}
	return job, nil
}

// jobArgs reads the args of an operation on jobs, on a host that runs any.
func (s *session) jobArgs(request proto.Request, args any) (Jobs, error) {
	if err := decodeArgs(request, args); err != nil {
		return nil, err
	}
	if s.host.Jobs == nil {
		return nil, &proto.Error{Code: proto.CodeGate, Message: "cannot serve the request: this host runs no console commands, the console_host of hosts.toml does",
			Advice: proto.Advice{Code: proto.AdviceStatus}}
	}
	return s.host.Jobs, nil
}

// jobCaller is who asks, as the audit has it.
func (s *session) jobCaller(request proto.Request) jobs.Caller {
	entry := s.entry(request, "")
	return jobs.Caller{Operator: entry.Operator, User: entry.User, UID: entry.UID, From: entry.From}
}
