package jobstest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/re-connect/rpctl/agent/internal/jobs"
	"github.com/re-connect/rpctl/agent/internal/jobs/console"
	"github.com/re-connect/rpctl/agent/internal/jobs/runner"
	"github.com/re-connect/rpctl/agent/internal/receiptkey"
	"github.com/re-connect/rpctl/internal/signature"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

// The centres of the runbook.
var (
	CHU75 = plan.Centre{ID: 4537, Name: "France Fraternités - CHU 75", Short: "CHU 75"}
	CHU77 = plan.Centre{ID: 5644, Name: "France Fraternités - CHU 77", Short: "CHU 77"}
	CPH   = plan.Centre{ID: 4960, Name: "France Fraternités - CPH", Short: "CPH"}
)

// Plan is two groups that cross: 41 and 10 leave CHU 75, then 21 come to it from CPH.
func Plan() plan.Plan {
	rule := func(from, to plan.Centre, value string) plan.Step {
		return plan.Step{Origin: from, Destination: to, Field: "migration-des-donnees", Value: value}
	}
	return plan.Plan{Version: 1, Ticket: "https://trello.com/c/abc", Centre: "France Fraternités", Groups: []plan.Group{
		{Steps: []plan.Step{rule(CHU75, CHU77, "CHU 77"), rule(CHU75, CPH, "CPH")}},
		{Steps: []plan.Step{rule(CPH, CHU75, "CHU 75")}},
	}}
}

// NewWorld is the runbook's figures: 160 people in CHU 75, 180 in CPH.
func NewWorld() *World {
	w := &World{Names: map[int64]string{CHU75.ID: CHU75.Name, CHU77.ID: CHU77.Name, CPH.ID: CPH.Name}, Conflicts: map[int64][]string{}, Lived: 3}
	w.Add(CHU75.ID, "CHU 77", 41)
	w.Add(CHU75.ID, "CPH", 10)
	w.Add(CHU75.ID, "", 109)
	w.Add(CPH.ID, "CHU 75", 21)
	w.Add(CPH.ID, "", 159)
	return w
}

// Signer is somebody with a key.
type Signer struct {
	Name string
	Key  receiptkey.Key
}

// NewSigner makes a key.
func NewSigner(tb testing.TB, name string) Signer {
	tb.Helper()
	private, _, err := receiptkey.Generate(name)
	if err != nil {
		tb.Fatal(err)
	}
	key, err := receiptkey.Parse(private)
	if err != nil {
		tb.Fatal(err)
	}
	return Signer{name, key}
}

// kept is a signer whose key is a file of the state folder.
func kept(tb testing.TB, state, name string) Signer {
	tb.Helper()
	path := filepath.Join(state, name)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		private, _, err := receiptkey.Generate(name)
		if err == nil {
			err = os.WriteFile(path, private, 0o600)
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	key, err := receiptkey.Load(path)
	if err != nil {
		tb.Fatal(err)
	}
	return Signer{name, key}
}

// Sign signs a receipt's canonical body.
func (s Signer) Sign(tb testing.TB, namespace string, body any) proto.Signed {
	tb.Helper()
	signed, err := s.Key.Sign(namespace, proto.CanonicalBody(body))
	if err != nil {
		tb.Fatal(err)
	}
	return signed
}

// Host is a host whose console works on a world.
type Host struct {
	TB      testing.TB
	Parts   jobs.Parts
	Service *jobs.Service
	Engine  *Engine
	World   *World
	Release *proto.Release
	// Unreadable is why the host cannot tell its release.
	Unreadable error
	// Claire may approve, Alice applies; Trusted are the hosts whose receipts count.
	Claire, Alice Signer
	Trusted       []Signer
	jobs          int
}

type releases struct{ h *Host }

func (r releases) Current() (proto.Release, error) {
	if r.h.Unreadable != nil {
		return proto.Release{}, r.h.Unreadable
	}
	return *r.h.Release, nil
}

// folder is in memory where there is such a place: hundreds of jobs wait for the disk otherwise.
func folder(tb testing.TB) string {
	tb.Helper()
	path, err := os.MkdirTemp("/dev/shm", "rpctl-jobs-")
	if err != nil {
		return tb.TempDir()
	}
	tb.Cleanup(func() { _ = os.RemoveAll(path) })
	return path
}

// NewHost makes a preprod where approver and operator may be one.
func NewHost(tb testing.TB) *Host {
	tb.Helper()
	return OpenHost(tb, folder(tb))
}

// OpenHost is NewHost on a state folder that may be one of before: its keys and all that it knows are kept
// there. The world is new.
func OpenHost(tb testing.TB, state string) *Host {
	tb.Helper()
	folders := console.FoldersIn(filepath.Join(state, "console"))
	for _, folder := range []string{folders.Specs, folders.Output, folders.Ends} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			tb.Fatal(err)
		}
	}
	kept(tb, state, receiptkey.Name)
	h := &Host{TB: tb, World: NewWorld(), Release: &proto.Release{Name: "42", Revision: "abc"},
		Claire: kept(tb, state, "claire"), Alice: kept(tb, state, "alice")}
	h.Engine = &Engine{Folders: folders, World: h.World, Real: map[string]int{}, hanging: map[console.ID]console.Spec{},
		Runners: map[proto.JobID]bool{}, Alive: map[proto.JobID]bool{}}
	h.Engine.Parts = func() jobs.Parts { return h.Parts }
	h.Parts = jobs.Parts{Name: "rp-preprod", State: state, Folders: folders, Engine: h.Engine, Releases: releases{h},
		Config: proto.HostConfig{Environment: "preprod", Console: &proto.Console{PHP: "/usr/bin/php", Script: "bin/console",
			SelfApproval: true, SimulationHours: 24}},
		Approvers: func() (signature.Signers, error) {
			return append(h.Claire.Key.Signers("claire"), h.Alice.Key.Signers("alice")...), nil
		},
		Hosts: func() (all signature.Signers, err error) {
			for _, s := range h.Trusted {
				all = append(all, s.Key.Signers(s.Name)...)
			}
			return all, nil
		},
	}
	h.Reopen()
	return h
}

// Reopen makes the service anew, after Parts were changed.
func (h *Host) Reopen() { h.Service = h.Parts.Service() }

// Runner is a runner as a test wants it.
func (h *Host) Runner() runner.Host { return h.Parts.Runner() }

// NewID is a job's id that was not used before.
func (h *Host) NewID() proto.JobID {
	h.jobs++
	return proto.JobID(fmt.Sprintf("testjob%05d", h.jobs))
}

// Caller is who starts jobs in tests.
var Caller = jobs.Caller{Operator: "alice@laptop", User: "app", UID: 1000, From: "192.0.2.1"}

// Start admits a job.
func (h *Host) Start(args proto.JobStartArgs) (proto.Job, error) {
	h.TB.Helper()
	return h.Service.Start(h.TB.Context(), args, Caller)
}

// Do starts a job and runs it to its end.
func (h *Host) Do(args proto.JobStartArgs) proto.Job {
	h.TB.Helper()
	if args.ID == "" {
		args.ID = h.NewID()
	}
	if _, err := h.Start(args); err != nil {
		h.TB.Fatalf("start: %v", err)
	}
	return h.Finish(args.ID)
}

// Finish runs a job's runner to its end.
func (h *Host) Finish(id proto.JobID) proto.Job {
	h.TB.Helper()
	err := h.Runner().Run(h.TB.Context(), id)
	h.Engine.SetAlive(id, false)
	if err != nil {
		h.TB.Fatalf("run: %v", err)
	}
	return h.Job(id)
}

// Job is where a job is.
func (h *Host) Job(id proto.JobID) proto.Job {
	h.TB.Helper()
	list, err := h.Service.List(h.TB.Context(), proto.JobsArgs{ID: id})
	if err != nil {
		h.TB.Fatal(err)
	}
	return list.Jobs[0]
}

// Simulate runs a simulation, which must succeed.
func (h *Host) Simulate(p plan.Plan) proto.Simulation {
	h.TB.Helper()
	job := h.Do(proto.JobStartArgs{Kind: proto.KindSimulate, Plan: p})
	if job.State != proto.JobSucceeded || job.Receipt == nil {
		h.TB.Fatalf("simulation: %s, %v", job.State, job.Error)
	}
	var s proto.Simulation
	if err := proto.DecodeStrict([]byte(job.Receipt.Body), &s); err != nil {
		h.TB.Fatal(err)
	}
	return s
}

// Approval is claire's yes to a simulation.
func (h *Host) Approval(s proto.Simulation) proto.Signed {
	h.TB.Helper()
	now := time.Now().UTC()
	return h.Claire.Sign(h.TB, proto.NamespaceApproval, proto.Approval{Kind: "approval", Environment: s.Environment, Plan: s.Plan,
		Figures: s.FiguresDigest(), By: "Claire", Time: now, Expires: now.Add(time.Hour), Nonce: "n"})
}

// Signed is a start with the signature of its operator under all of it.
func (h *Host) Signed(by Signer, args proto.JobStartArgs) proto.JobStartArgs {
	h.TB.Helper()
	if args.ID == "" {
		args.ID = h.NewID()
	}
	signed := by.Sign(h.TB, proto.NamespaceIntent, h.Statement(args))
	args.Intent = &signed
	return args
}

// Statement is what an operator signs under a start, by what this host has of its plan.
func (h *Host) Statement(args proto.JobStartArgs) proto.Intent {
	h.TB.Helper()
	e, err := h.Service.Plans.Evidence(args.Plan.Digest(), Now())
	if err != nil || e.Simulation == nil {
		h.TB.Fatalf("the plan was not simulated: %v", err)
	}
	return args.Statement(h.Parts.Config.Environment, h.Parts.Name, Caller.Operator, *e.Simulation, e.SignedApproval, Now())
}

// Approve simulates a plan and approves it.
func (h *Host) Approve(p plan.Plan) {
	h.TB.Helper()
	if _, err := h.Service.Approve(h.TB.Context(), proto.ApproveArgs{Approval: h.Approval(h.Simulate(p))}, Caller); err != nil {
		h.TB.Fatalf("approve: %v", err)
	}
}

// Until waits for something that another goroutine brings about.
func (h *Host) Until(done func() bool) {
	h.TB.Helper()
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-deadline.C:
			h.TB.Fatal("it does not come about")
		case <-tick.C:
		}
	}
}

// Now is the time, as receipts have it.
func Now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }
