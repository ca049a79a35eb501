package jobs_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/re-connect/rpctl/agent/internal/audit"
	"github.com/re-connect/rpctl/agent/internal/jobs"
	"github.com/re-connect/rpctl/agent/internal/jobs/console"
	"github.com/re-connect/rpctl/agent/internal/jobs/jobstest"
	"github.com/re-connect/rpctl/proto"
)

// login is a caller of a test.
func login(uid uint32) jobs.Caller {
	return jobs.Caller{Operator: fmt.Sprintf("someone@laptop%d", uid), User: fmt.Sprintf("login%d", uid), UID: uid}
}

// TestSimulationsAtOnceAreLimited starts 70 at the same time: 2 for a login, 4 for the host. Every refusal names the
// jobs that run and the command that ends the oldest.
func TestSimulationsAtOnceAreLimited(t *testing.T) {
	h, p := jobstest.NewHost(t), jobstest.Plan()
	var mu sync.Mutex
	accepted, byLogin := []proto.JobID{}, map[string]int{}
	start := func(id proto.JobID, caller jobs.Caller) {
		_, err := h.Service.Start(t.Context(), proto.JobStartArgs{ID: id, Kind: proto.KindSimulate, Plan: p}, caller)
		mu.Lock()
		defer mu.Unlock()
		var refused *proto.Error
		switch {
		case err == nil:
			accepted = append(accepted, id)
			byLogin[caller.User]++
		case !errors.As(err, &refused) || refused.Code != proto.CodeLimit:
			t.Errorf("refused with %v", err)
		case refused.Advice.Code != proto.AdviceCancel || !strings.Contains(string(refused.Message), "testjob"):
			t.Errorf("the refusal does not help: %q, %+v", refused.Message, refused.Advice)
		}
	}
	var all sync.WaitGroup
	for i := range 70 {
		id := h.NewID()
		all.Go(func() { start(id, login(uint32(1001+i%7))) })
	}
	all.Wait()
	if len(accepted) != 4 {
		t.Errorf("%d simulations run, want 4: %v", len(accepted), byLogin)
	}
	for user, n := range byLogin {
		if n > 2 {
			t.Errorf("%s runs %d", user, n)
		}
	}
	before := len(accepted)
	start(h.NewID(), jobs.Caller{Operator: "root", User: "root"})
	if len(accepted) != before+1 {
		t.Error("root was refused")
	}
	h.Finish(accepted[0])
	h.Finish(accepted[1])
	start(h.NewID(), login(2000))
	if len(accepted) != before+2 {
		t.Error("refused although places are free again")
	}
}

// TestAskingAgainForARunningSimulation is no new simulation, and refused by no limit.
func TestAskingAgainForARunningSimulation(t *testing.T) {
	h, p := jobstest.NewHost(t), jobstest.Plan()
	args := proto.JobStartArgs{Kind: proto.KindSimulate, Plan: p}
	for range 2 {
		args.ID = h.NewID()
		if _, err := h.Start(args); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.Start(args); err != nil {
		t.Errorf("the same job: %v", err)
	}
	args.ID = h.NewID()
	_, err := h.Start(args)
	refusal(t, err, proto.CodeLimit, "login app runs 2 already")
}

// TestDeadSimulationsTakeNoPlace: what a reboot left does not count.
func TestDeadSimulationsTakeNoPlace(t *testing.T) {
	h, p := jobstest.NewHost(t), jobstest.Plan()
	now := jobstest.Now()
	h.Parts.Now = func() time.Time { return now }
	h.Reopen()
	for range 2 {
		id := h.NewID()
		if _, err := h.Start(proto.JobStartArgs{ID: id, Kind: proto.KindSimulate, Plan: p}); err != nil {
			t.Fatal(err)
		}
		h.Engine.SetAlive(id, false)
	}
	now = now.Add(time.Minute) // longer than a start takes
	if _, err := h.Start(proto.JobStartArgs{ID: h.NewID(), Kind: proto.KindSimulate, Plan: p}); err != nil {
		t.Error(err)
	}
}

// TestSimulationsBlockNoApply: an apply is admitted while the host is full of simulations.
func TestSimulationsBlockNoApply(t *testing.T) {
	h, p := jobstest.NewHost(t), jobstest.Plan()
	h.Approve(p)
	for i := range 4 {
		if _, err := h.Service.Start(t.Context(), proto.JobStartArgs{ID: h.NewID(), Kind: proto.KindSimulate, Plan: p}, login(uint32(1001+i))); err != nil {
			t.Fatal(err)
		}
	}
	if job := h.Do(proto.JobStartArgs{Kind: proto.KindApply, Plan: p}); job.State != proto.JobSucceeded {
		t.Errorf("%s: %v", job.State, job.Error)
	}
}

// TestSimulationsInAnHourAreLimited: one login starts 60, the next hour is another.
func TestSimulationsInAnHourAreLimited(t *testing.T) {
	h, p := jobstest.NewHost(t), jobstest.Plan()
	now := jobstest.Now()
	h.Parts.Now = func() time.Time { return now }
	h.Reopen()
	start := func(caller jobs.Caller) error {
		id := h.NewID()
		_, err := h.Service.Start(t.Context(), proto.JobStartArgs{ID: id, Kind: proto.KindSimulate, Plan: p}, caller)
		if err == nil {
			_, err = h.Service.Cancel(t.Context(), proto.JobCancelArgs{ID: id}, caller)
			h.Finish(id)
		}
		return err
	}
	for range 60 {
		if err := start(login(1001)); err != nil {
			t.Fatal(err)
		}
	}
	refusal(t, start(login(1001)), proto.CodeLimit, "60 simulations within an hour")
	if err := start(login(1002)); err != nil {
		t.Errorf("another login: %v", err)
	}
	now = now.Add(time.Hour)
	if err := start(login(1001)); err != nil {
		t.Errorf("an hour later: %v", err)
	}
}

// TestFullDiskOfSimulations: a simulation is refused at the start and before each of its dry runs while an apply goes on.
func TestFullDiskOfSimulations(t *testing.T) {
	h, p := jobstest.NewHost(t), jobstest.Plan()
	h.Approve(p)
	mib := uint64(600)
	h.Parts.Disk = func(string) (uint64, error) { return mib << 20, nil }
	h.Reopen()
	_, err := h.Start(proto.JobStartArgs{ID: h.NewID(), Kind: proto.KindSimulate, Plan: p})
	refusal(t, err, proto.CodeLimit, "600 MiB of the disk are free")

	mib = 2000
	h.Engine.Script = func(console.Spec) jobstest.Fault { return jobstest.Fault{Before: func() { mib = 600 }} }
	job := h.Do(proto.JobStartArgs{Kind: proto.KindSimulate, Plan: p})
	if job.State != proto.JobFailed || job.Error == nil || job.Error.Code != proto.CodeLimit || job.Steps[0].State != proto.StepSimulated || job.Steps[1].State != proto.StepFailed {
		t.Errorf("%s, %+v", job.State, job)
	}
	if job := h.Do(proto.JobStartArgs{Kind: proto.KindApply, Plan: p}); job.State != proto.JobSucceeded {
		t.Errorf("the apply: %s, %v", job.State, job.Error)
	}

	mib = 10
	_, err = h.Start(proto.JobStartArgs{ID: h.NewID(), Kind: proto.KindApply, Plan: p})
	if err == nil {
		t.Error("an apply on a full disk is admitted")
	}
}

// TestOldPlansArePruned by the next simulation, but not the plan of a job that has not ended.
func TestOldPlansArePruned(t *testing.T) {
	h := jobstest.NewHost(t)
	now := jobstest.Now()
	h.Parts.Now = func() time.Time { return now }
	h.Reopen()
	old, begun, third := jobstest.Plan(), jobstest.Plan(), jobstest.Plan()
	begun.Groups, third.Groups = begun.Groups[:1], third.Groups[1:]
	h.Simulate(old)
	h.Simulate(begun)
	now = now.AddDate(0, 2, 0)
	if _, err := h.Start(proto.JobStartArgs{ID: h.NewID(), Kind: proto.KindSimulate, Plan: begun}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Start(proto.JobStartArgs{ID: h.NewID(), Kind: proto.KindSimulate, Plan: third}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Service.Plans.Plan(old.Digest()); err == nil {
		t.Error("the old plan is there")
	}
	if _, err := h.Service.Plans.Plan(begun.Digest()); err != nil {
		t.Errorf("the plan of a running job: %v", err)
	}
}

// TestCancelAskedAgainIsNoLineMore of the audit, and "now" after that is one.
func TestCancelAskedAgainIsNoLineMore(t *testing.T) {
	h := jobstest.NewHost(t)
	id := h.NewID()
	if _, err := h.Start(proto.JobStartArgs{ID: id, Kind: proto.KindSimulate, Plan: jobstest.Plan()}); err != nil {
		t.Fatal(err)
	}
	for _, now := range []bool{false, false, true, true, false} {
		job, err := h.Service.Cancel(t.Context(), proto.JobCancelArgs{ID: id, Now: now}, jobstest.Caller)
		if err != nil || !job.CancelAsked {
			t.Fatalf("%+v, %v", job, err)
		}
	}
	entries, err := audit.New(h.Parts.State).Last(100)
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for _, entry := range entries {
		if entry.Action == audit.ActionCancel {
			lines++
		}
	}
	if lines != 2 {
		t.Errorf("%d lines of cancels, want 2", lines)
	}
}
