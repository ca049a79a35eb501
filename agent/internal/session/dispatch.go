package session

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/re-connect/rpctl/agent/internal/units"
	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/proto"
)

// operation is what an op needs and does.
type operation struct {
	right      right
	needsLease bool
	// anyEnvironment lets the request leave the environment out: nothing can go to the wrong host
	// by only asking how it is.
	anyEnvironment bool
	run            func(*session, context.Context, proto.Request) (any, error)
}

// operations is filled by init, since the handlers refer to what refers to it.
var operations map[proto.Op]operation

func init() {
	operations = map[proto.Op]operation{
		proto.OpStatus:      {anyEnvironment: true, run: (*session).status},
		proto.OpRelease:     {run: (*session).release},
		proto.OpUnits:       {run: (*session).units},
		proto.OpJournal:     {run: (*session).journal},
		proto.OpHistory:     {anyEnvironment: true, run: (*session).history},
		proto.OpAuditVerify: {anyEnvironment: true, run: (*session).auditVerify},
		proto.OpAuditSince:  {anyEnvironment: true, run: (*session).auditSince},
		proto.OpDoctor:      {anyEnvironment: true, run: (*session).doctor},
		proto.OpLease:       {right: act, run: (*session).takeLease},
		proto.OpRestart:     {right: act, needsLease: true, run: (*session).restart},
		proto.OpVerify:      {run: (*session).verify},
		proto.OpRecord:      {right: act, needsLease: true, run: (*session).record},
		proto.OpJobStart:    {right: act, run: (*session).jobStart},
		proto.OpJobFollow:   {run: (*session).jobFollow},
		proto.OpJobCancel:   {right: act, run: (*session).jobCancel},
		proto.OpJobs:        {anyEnvironment: true, run: (*session).jobs},
		proto.OpPlanStatus:  {run: (*session).planStatus},
		proto.OpApprove:     {right: act, run: (*session).approve},
		proto.OpRevoke:      {right: act, run: (*session).revoke},
		proto.OpClockReset:  {right: act, anyEnvironment: true, run: (*session).clockReset},
	}
}

// capabilities is the operations in the order of PROTOCOL.md.
func capabilities() []proto.Op {
	return []proto.Op{proto.OpStatus, proto.OpRelease, proto.OpUnits, proto.OpJournal, proto.OpHistory, proto.OpAuditVerify, proto.OpAuditSince,
		proto.OpDoctor, proto.OpLease, proto.OpRestart, proto.OpVerify, proto.OpRecord,
		proto.OpJobStart, proto.OpJobFollow, proto.OpJobCancel, proto.OpJobs, proto.OpPlanStatus, proto.OpApprove, proto.OpRevoke, proto.OpClockReset}
}

// answer serves one item and says whether the connection goes on.
func (s *session) answer(next item) bool {
	defer s.finish(next.request.ID, len(next.request.Args))
	if next.refused != nil {
		s.event(proto.Event{Event: proto.EventError, ID: next.request.ID, Error: next.refused})
		return !next.last
	}
	op, err := s.admit(next.request)
	var result any
	if err == nil {
		result, err = s.run(next.ctx, op, next.request)
	}
	if err != nil {
		s.event(proto.Event{Event: proto.EventError, ID: next.request.ID, Error: explain(next.ctx, err)})
		var limit *refusal
		return (!errors.As(err, &limit) || !limit.fatal) && s.refusals < maxRefusals
	}
	s.done(next.request.ID, result)
	return true
}

// done sends a result, or says that it does not fit on a line.
func (s *session) done(id int64, result any) {
	data, err := fit(result, aroundBytes, aroundValues)
	if err != nil {
		s.event(proto.Event{Event: proto.EventError, ID: id, Error: &proto.Error{
			Code: proto.CodeHost, Message: proto.HostText("cannot send the answer: " + err.Error() + "; ask for less of it")}})
		return
	}
	s.event(proto.Event{Event: proto.EventDone, ID: id, Result: data})
}

// admit decides whether the request may be served. A refused change is audited.
func (s *session) admit(request proto.Request) (operation, error) {
	op, known := operations[request.Op]
	var refused *proto.Error
	environment := s.host.Config.Environment
	barred := s.barred(op.right, string(request.Op)+" here")
	switch {
	case request.Protocol < proto.MinVersion || request.Protocol > proto.Version:
		refused = &proto.Error{Code: proto.CodeUnsupported, Advice: upgrade, Message: proto.Textf(
			"cannot serve the request: it is written in protocol %d, this agent speaks %d to %d", request.Protocol, proto.MinVersion, proto.Version)}
	case !known:
		refused = &proto.Error{Code: proto.CodeUnsupported, Advice: upgrade, Message: proto.Textf(
			"cannot serve the request: this agent does not know the operation %q", printable.Excerpt(string(request.Op), 60))}
	case request.Environment != environment && (request.Environment != "" || !op.anyEnvironment):
		refused = wrongEnvironment(request, environment)
	case barred != nil:
		refused = barred
	case s.host.Crowded != nil && request.Op != proto.OpJobs && request.Op != proto.OpJobCancel:
		return op, s.host.Crowded
	case op.needsLease && s.lease == nil:
		refused = &proto.Error{Code: proto.CodeLeaseRequired,
			Message: proto.Textf("cannot %s: this connection does not hold the host: the lease comes first", request.Op),
			Advice:  proto.Advice{Code: proto.AdviceStatus}}
	default:
		return op, nil
	}
	if op.right == act {
		s.auditRefusal(request, refused)
	}
	return op, refused
}

func wrongEnvironment(request proto.Request, own string) *proto.Error {
	meant := "names no environment"
	if request.Environment != "" {
		meant = fmt.Sprintf("is meant for %q", printable.Excerpt(request.Environment, 60))
	}
	return &proto.Error{
		Code:    proto.CodeEnvironment,
		Message: proto.Textf("cannot %s: the request %s and this host is %q: correct the hosts of one of them in hosts.toml", request.Op, meant, own),
		Advice:  proto.Advice{Code: proto.AdviceDoctor},
	}
}

// run calls the handler. A panic in it is this agent's fault and must reach the caller as an answer.
func (s *session) run(ctx context.Context, op operation, request proto.Request) (result any, err error) {
	defer func() {
		if p := recover(); p != nil {
			s.log(fmt.Errorf("panic in %s: %v\n%s", request.Op, p, debug.Stack()))
			err = &proto.Error{Code: proto.CodeHost,
				Message: proto.Textf("cannot %s: a bug in rp-agent (%s); what was begun may not be finished; please report what its journal shows", request.Op, printable.Excerpt(fmt.Sprint(p), 200)),
				Advice:  proto.Advice{Code: proto.AdviceAgentLog}}
		}
	}()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return op.run(s, ctx, request)
}

// explain is err as the caller gets it.
func explain(ctx context.Context, err error) *proto.Error {
	var known *proto.Error
	var limit *refusal
	switch {
	case errors.Is(context.Cause(ctx), errCancelled):
		return &proto.Error{Code: proto.CodeCancelled, Message: "cancelled, as asked; what the service manager was already told goes on"}
	case errors.As(err, &limit):
		return limit.why
	case errors.As(err, &known):
		return known
	case errors.Is(err, context.Canceled):
		return &proto.Error{Code: proto.CodeCancelled, Message: "cancelled: the agent is being stopped", Advice: proto.Advice{Code: proto.AdviceStatus}}
	case errors.Is(err, units.ErrRefused):
		return &proto.Error{Code: proto.CodePolkit, Message: proto.HostText(printable.Excerpt(err.Error(), 500)), Advice: proto.Advice{Code: proto.AdviceHostDoctor}}
	default:
		return &proto.Error{Code: proto.CodeHost, Message: proto.HostText(printable.Excerpt(err.Error(), 500)), Advice: proto.Advice{Code: proto.AdviceHostDoctor}}
	}
}
