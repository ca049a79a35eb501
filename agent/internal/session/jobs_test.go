package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/agent/internal/jobs"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

// fakeJobs is a host's jobs.
type fakeJobs struct {
	mutating *proto.Job
	refuse   error
	started  []jobs.Caller
	output   []byte
	waiting  chan struct{} // closed once a follow waits
	steps    []proto.JobStep
}

func (f *fakeJobs) Start(_ context.Context, args proto.JobStartArgs, caller jobs.Caller) (proto.Job, error) {
	f.started = append(f.started, caller)
	return proto.Job{ID: args.ID, State: proto.JobAccepted}, f.refuse
}

func (f *fakeJobs) Follow(ctx context.Context, args proto.JobFollowArgs, sink jobs.Sink) (proto.Job, error) {
	err := errors.Join(sink.Job(proto.Job{ID: args.ID, State: proto.JobRunning, Steps: f.steps}), sink.Output("stdout", args.Stdout, f.output))
	if args.Wait {
		close(f.waiting)
		<-ctx.Done()
		err = context.Cause(ctx)
	}
	return proto.Job{ID: args.ID, State: proto.JobSucceeded, Steps: f.steps}, err
}

func (f *fakeJobs) Cancel(_ context.Context, args proto.JobCancelArgs, _ jobs.Caller) (proto.Job, error) {
	return proto.Job{ID: args.ID, CancelAsked: true}, nil
}

func (f *fakeJobs) List(context.Context, proto.JobsArgs) (proto.JobList, error) {
	return proto.JobList{Jobs: []proto.Job{{ID: "job00001", Steps: f.steps}}}, nil
}

func (f *fakeJobs) PlanStatus(context.Context, proto.PlanStatusArgs) (proto.PlanStatus, error) {
	return proto.PlanStatus{Host: "preprod-1"}, nil
}

func (f *fakeJobs) Approve(context.Context, proto.ApproveArgs, jobs.Caller) (proto.PlanStatus, error) {
	return proto.PlanStatus{}, f.refuse
}

func (f *fakeJobs) Revoke(context.Context, proto.RevokeArgs, jobs.Caller) (proto.PlanStatus, error) {
	return proto.PlanStatus{}, f.refuse
}

func (f *fakeJobs) Mutating(context.Context) (*proto.Job, error) { return f.mutating, nil }

func (f *fakeJobs) Overview(context.Context) ([]proto.Job, []proto.PlanState, error) {
	return []proto.Job{{ID: "job00001"}}, nil, nil
}

func jobsHost(t *testing.T, f *fakeJobs) Host {
	t.Helper()
	host := hostOf(t.TempDir(), &fakeHost{})
	host.Jobs = f
	return host
}

func TestJobOperations(t *testing.T) {
	f := &fakeJobs{}
	c := callHost(t, actor, jobsHost(t, f))
	for i, request := range []struct {
		op   proto.Op
		args string
	}{
		{proto.OpJobStart, `{"id":"job00001","kind":"simulate"}`}, {proto.OpJobCancel, `{"id":"job00001","now":true}`},
		{proto.OpJobs, `{}`}, {proto.OpPlanStatus, `{}`}, {proto.OpApprove, `{}`}, {proto.OpRevoke, `{}`}, {proto.OpStatus, `{}`},
	} {
		wantDone(t, c.ask(i+1, request.op, request.args), int64(i+1))
	}
	if len(f.started) != 1 || f.started[0].User != "home" || f.started[0].Operator != "alice@laptop" {
		t.Errorf("%+v", f.started)
	}
}

// TestJobsAreNotForOnlookers: to look is no right to change, and a wrong environment changes nothing.
func TestJobsAreNotForOnlookers(t *testing.T) {
	f := &fakeJobs{}
	c := callHost(t, onlooker, jobsHost(t, f))
	for i, op := range []proto.Op{proto.OpJobStart, proto.OpJobCancel, proto.OpApprove, proto.OpRevoke} {
		wantError(t, c.ask(i+1, op, `{"id":"job00001"}`), int64(i+1), proto.CodeForbidden)
	}
	c.say(`{"id":9,"protocol":1,"op":"job-follow","environment":"prod","args":{"id":"job00001"}}`)
	wantError(t, c.answer(), 9, proto.CodeEnvironment)
	if len(f.started) > 0 {
		t.Error("a job was started")
	}
}

func TestRefusedStartIsAudited(t *testing.T) {
	f := &fakeJobs{refuse: &proto.Error{Code: proto.CodeGate, Message: "gate 3"}}
	c := callHost(t, actor, jobsHost(t, f))
	wantError(t, c.ask(1, proto.OpJobStart, `{"id":"job00001"}`), 1, proto.CodeGate)
	wantError(t, c.ask(2, proto.OpApprove, `{}`), 2, proto.CodeGate)
	wantError(t, c.ask(3, proto.OpJobStart, `{"id":"job00001","shell":"id"}`), 3, proto.CodeUnsupported)
	if got := c.audited(); got != "refused=gate refused=gate" {
		t.Error(got)
	}
}

func TestHostWithoutJobs(t *testing.T) {
	c := call(t, actor, &fakeHost{})
	wantError(t, c.ask(1, proto.OpJobStart, `{"id":"job00001"}`), 1, proto.CodeGate)
	wantDone(t, c.ask(2, proto.OpLease, `{"purpose":"deploy"}`), 2)
}

// TestFollowedBytesCross as they are, and the next answer is understood after them.
func TestFollowedBytesCross(t *testing.T) {
	raw := []byte("a\n{\"event\":\"done\"}\r\xff\x00no end")
	c := callHost(t, actor, jobsHost(t, &fakeJobs{output: raw}))
	c.request(1, proto.OpJobFollow, `{"id":"job00001","stdout":7}`)
	if event := c.event(); event.Event != proto.EventJob || event.Job == nil {
		t.Fatalf("%+v", event)
	}
	event := c.event()
	if event.Output == nil || event.Output.Offset != 7 || event.Output.Length != len(raw) {
		t.Fatalf("%+v", event)
	}
	got := make([]byte, len(raw)+1)
	if _, err := io.ReadFull(c.lines, got); err != nil || string(got) != string(raw)+"\n" {
		t.Errorf("%q, %v", got, err)
	}
	wantDone(t, c.answer(), 1)
}

// TestJobThatDoesNotFitOnALine comes without its conflicts, wherever it stands: who follows it must not be cut off.
func TestJobThatDoesNotFitOnALine(t *testing.T) {
	for name, staying := range map[string][]int64{
		"values": make([]int64, proto.MaxAnswerValues),
		"bytes":  slices.Repeat([]int64{1 << 62}, proto.MaxLine/19),
	} {
		t.Run(name, func(t *testing.T) {
			f := &fakeJobs{steps: []proto.JobStep{{Step: "1.1", State: proto.StepRunning}, {Step: "1.2", State: proto.StepSimulated,
				Result: &proto.StepResult{Figures: plan.Figures{Moved: 7}, Conflicts: []proto.Conflict{{Accommodation: 892, Staying: staying}}}}}}
			c := callHost(t, actor, jobsHost(t, f))
			c.request(1, proto.OpJobFollow, `{"id":"job00001"}`)
			wantShort(t, c.event().Job)
			if c.event().Output == nil || c.line() != "\n" {
				t.Fatal("no output")
			}
			done := c.answer()
			wantDone(t, done, 1)
			var job proto.Job
			if err := json.Unmarshal(done.Result, &job); err != nil {
				t.Error(err)
			}
			wantShort(t, &job)
			var list proto.JobList
			if err := json.Unmarshal(c.ask(2, proto.OpJobs, `{"id":"job00001"}`).Result, &list); err != nil || len(list.Jobs) != 1 {
				t.Fatal(err)
			}
			wantShort(t, &list.Jobs[0])
			if len(f.steps[1].Result.Conflicts) != 1 {
				t.Error("the host's own job was changed")
			}
		})
	}
}

func wantShort(t *testing.T, job *proto.Job) {
	t.Helper()
	if job == nil || len(job.Steps) != 2 || job.Steps[1].Result == nil || job.Steps[1].Result.Moved != 7 || job.Steps[1].Result.Conflicts != nil {
		t.Fatalf("%.300v", job)
	}
}

// TestFollowEndsWithItsCaller: a closed laptop ends the follow, and nothing else.
func TestFollowEndsWithItsCaller(t *testing.T) {
	f := &fakeJobs{waiting: make(chan struct{})}
	c := callHost(t, actor, jobsHost(t, f))
	c.request(1, proto.OpJobFollow, `{"id":"job00001","wait":true}`)
	<-f.waiting
	c.hangUp()
	if _, err := io.ReadAll(c.lines); err != nil {
		t.Error(err)
	}
	if err := c.left(); err != nil {
		t.Error(err)
	}
}

// TestLeaseAndJobKeepEachOtherOut: nothing is deployed while a job changes data.
func TestLeaseAndJobKeepEachOtherOut(t *testing.T) {
	f := &fakeJobs{mutating: &proto.Job{ID: "job00001", Operator: "bob@laptop", User: "app"}}
	c := callHost(t, actor, jobsHost(t, f))
	event := c.ask(1, proto.OpLease, `{"purpose":"deploy"}`)
	wantError(t, event, 1, proto.CodeLeaseHeld)
	if event.Error.Holder == nil || event.Error.Holder.Operator != "bob@laptop" || event.Error.Holder.Job != "job00001" || !strings.Contains(string(event.Error.Message), "job00001") {
		t.Errorf("%+v", event.Error)
	}
	f.mutating = nil
	wantDone(t, c.ask(2, proto.OpLease, `{"purpose":"deploy"}`), 2)
	if got := c.audited(); got != fmt.Sprintf("refused=%s lease", proto.CodeLeaseHeld) {
		t.Error(got)
	}
}
