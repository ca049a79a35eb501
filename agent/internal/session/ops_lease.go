package session

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/re-connect/rpctl/agent/internal/audit"
	"github.com/re-connect/rpctl/agent/internal/lease"
	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/proto"
)

var (
	purposes = []string{"deploy", "rollback", "restart"}
	outcomes = []string{"succeeded", "failed", proto.NotBegun}
)

// takeLease holds the host until the connection ends. Without its line in the audit there is no lease.
func (s *session) takeLease(ctx context.Context, request proto.Request) (any, error) {
	var args proto.LeaseArgs
	if err := decodeArgs(request, &args); err != nil {
		return nil, err
	}
	if !slices.Contains(purposes, args.Purpose) {
		return nil, badRequest("purpose %q is none of %s", printable.Excerpt(args.Purpose, 60), strings.Join(purposes, ", "))
	}
	if s.lease != nil {
		return nil, badRequest("this connection holds the host already")
	}
	if err := s.hold(ctx, request, args.Purpose); err != nil {
		return nil, err
	}
	granted := proto.Lease{}
	patterns, err := s.host.Workers.Units(ctx, nil)
	if err != nil {
		s.takeBack(request, err)
		return nil, err
	}
	granted.Patterns = patterns
	// A host before its first deploy has no release, and can be deployed to.
	if current, err := s.host.Releases.Current(); err == nil {
		granted.Release = &current
	}
	return granted, nil
}

func (s *session) hold(ctx context.Context, request proto.Request, purpose string) error {
	entry := s.entry(request, audit.ActionLease)
	entry.Purpose, entry.Time = purpose, s.now().UTC().Truncate(time.Millisecond)
	held, err := lease.Acquire(s.host.State, proto.Holder{
		Operator: proto.HostText(entry.Operator), User: proto.HostText(entry.User), UID: entry.UID, From: proto.HostText(entry.From), Purpose: proto.HostText(purpose), Since: entry.Time})
	if err != nil {
		s.auditRefusal(request, err)
		return err
	}
	if err := s.freeOfJobs(ctx); err != nil {
		s.auditRefusal(request, err)
		_ = held.Release()
		return err
	}
	if s.leased, err = s.audit.Append(entry); err != nil {
		_ = held.Release()
		return err
	}
	s.lease, s.recorded = held, false
	s.setHolds(true)
	s.watchClosely(+1)
	return nil
}

// freeOfJobs refuses a lease while a job changes the application's data. The lease is taken before
// the look, and a job is made before it looks for the lease: never do both go on.
func (s *session) freeOfJobs(ctx context.Context) error {
	if s.host.Jobs == nil {
		return nil
	}
	job, err := s.host.Jobs.Mutating(ctx)
	if err != nil || job == nil {
		return err
	}
	who := fmt.Sprintf("%s (%s)", printable.Excerpt(string(job.Operator), maxTold), printable.Excerpt(string(job.User), maxTold))
	return &proto.Error{
		Code: proto.CodeLeaseHeld,
		Message: proto.Textf("cannot take the host: job %s of %s applies a migration plan since %s",
			job.ID, who, job.Created.UTC().Format("2006-01-02 15:04:05 MST")),
		Advice: proto.Advice{Code: proto.AdviceAttach, Job: job.ID},
		Holder: &proto.Holder{Operator: job.Operator, User: job.User, Purpose: proto.HostText("migration (job " + string(job.ID) + ")"), Since: job.Created, Job: job.ID},
	}
}

// takeBack ends a lease that is not granted after all, and notes that nothing was begun under it.
func (s *session) takeBack(request proto.Request, why error) {
	entry := s.entry(request, audit.ActionRecord)
	entry.Result, entry.Detail = proto.NotBegun, fmt.Sprintf("the lease was not granted: %v", why)
	if _, err := s.audit.Append(entry); err != nil {
		s.log(err)
	} else {
		s.recorded = true
	}
	s.dropLease()
}

// dropLease gives the host back, if this connection holds it. The audit is told first, so that the
// lines of two leases never mix.
func (s *session) dropLease() {
	if s.lease == nil {
		return
	}
	s.setHolds(false)
	s.watchClosely(-1)
	entry := s.leased
	entry.Action, entry.Time = audit.ActionLeaseEnd, time.Time{}
	entry.Result = "connection lost without a record"
	if s.recorded {
		entry.Result = "recorded"
	}
	if _, err := s.audit.Append(entry); err != nil {
		s.log(err)
	}
	if err := s.lease.Release(); err != nil {
		s.log(err)
	}
	s.lease, s.leased = nil, proto.AuditEntry{}
}

func (s *session) record(_ context.Context, request proto.Request) (any, error) {
	var args proto.RecordArgs
	if err := decodeArgs(request, &args); err != nil {
		return nil, err
	}
	if !slices.Contains(outcomes, args.Result) {
		return nil, badRequest("result %q is none of %s", printable.Excerpt(args.Result, 60), strings.Join(outcomes, ", "))
	}
	entry := s.entry(request, audit.ActionRecord)
	entry.Result, entry.Revision, entry.Detail = args.Result, args.Revision, args.Detail
	if current, err := s.host.Releases.Current(); err == nil {
		entry.Release = current.Name
		if entry.Revision == "" {
			entry.Revision = current.Revision
		}
	}
	if _, err := s.audit.Append(entry); err != nil {
		return nil, err
	}
	s.recorded = true
	return struct{}{}, nil
}
