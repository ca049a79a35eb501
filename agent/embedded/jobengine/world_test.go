package jobengine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/re-connect/rpctl/agent/embedded/jobengine"
	"github.com/re-connect/rpctl/agent/internal/jobs"
	"github.com/re-connect/rpctl/agent/internal/jobs/console"
	"github.com/re-connect/rpctl/agent/internal/jobs/jobstest"
	"github.com/re-connect/rpctl/agent/internal/jobs/store"
	"github.com/re-connect/rpctl/agent/internal/receiptkey"
	"github.com/re-connect/rpctl/agent/internal/release"
	"github.com/re-connect/rpctl/internal/signature"
	app "github.com/re-connect/rpctl/lab/app/console"
	"github.com/re-connect/rpctl/lab/filewatch"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

// errKilled is the end of a runner that was killed between two of its writes.
var errKilled = errors.New("the runner was killed")

// machine is a host that goes down and comes up again, whose disk stays, with the
// application's console as a process of its own for each command.
type machine struct {
	t       *testing.T
	www     string
	parts   jobs.Parts
	claire  jobstest.Signer
	mu      sync.Mutex
	random  *rand.Rand
	deadly  bool // runners die at their writes
	engine  *jobengine.Engine
	service *jobs.Service
	jobs    int
}

func newMachine(t *testing.T, seed app.Seed, random *rand.Rand) *machine {
	t.Helper()
	m := &machine{t: t, www: filepath.Join(t.TempDir(), "www"), claire: jobstest.NewSigner(t, "claire"), random: random}
	state := filepath.Join(t.TempDir(), "state")
	folders := console.FoldersIn(filepath.Join(state, "console"))
	script := filepath.Join(m.www, "releases/1/bin/console")
	for _, folder := range []string{folders.Specs, folders.Output, folders.Ends, filepath.Dir(script), filepath.Join(m.www, "shared/var")} {
		m.must(os.MkdirAll(folder, 0o755))
	}
	self, err := os.Executable()
	m.must(err)
	private, _, err := receiptkey.Generate("host")
	m.must(err)
	text, err := json.Marshal(seed)
	m.must(err)
	m.must(errors.Join(
		os.WriteFile(filepath.Join(state, receiptkey.Name), private, 0o600), os.WriteFile(script, nil, 0o755),
		os.WriteFile(filepath.Join(m.www, "releases/1/REVISION"), []byte("abc\n"), 0o644),
		os.Symlink("releases/1", filepath.Join(m.www, "current")), os.WriteFile(filepath.Join(m.www, "seed.json"), text, 0o644)))
	if status := app.Main([]string{script, app.CommandSeed, filepath.Join(m.www, "seed.json")}, io.Discard, io.Discard); status != 0 {
		t.Fatal("cannot seed the application")
	}
	m.parts = jobs.Parts{Name: "rp-preprod", State: state, Folders: folders, Releases: release.Layout{Path: m.www},
		Config: proto.HostConfig{Environment: "preprod", Application: proto.Application{Path: m.www, User: "app"},
			Console: &proto.Console{PHP: self, Script: "bin/console", SelfApproval: true, SimulationHours: 24}},
		Approvers: func() (signature.Signers, error) { return m.claire.Key.Signers("claire"), nil },
		Hosts:     func() (signature.Signers, error) { return nil, nil }}
	m.boot()
	t.Cleanup(func() { m.must(m.engine.Close()) })
	return m
}

func (m *machine) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) boot() {
	m.engine = jobengine.New(jobengine.Options{Folders: m.parts.Folders, Restart: time.Millisecond,
		Command: func(id console.ID) ([]string, string, []string, error) {
			spec, err := m.parts.Folders.ReadSpec(id, uint32(os.Getuid()))
			return spec.Argv(*m.parts.Config.Console), filepath.Join(m.www, "releases/1"), nil, err
		},
		Run: func(ctx context.Context, id proto.JobID) error {
			runner := m.parts.Runner()
			runner.Saved = func(store.Record) error { return m.perhaps() }
			return runner.Run(ctx, id)
		}})
	m.parts.Engine = m.engine
	m.service = m.parts.Service()
}

// perhaps kills the runner at one of its writes.
func (m *machine) perhaps() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.deadly && m.random.IntN(6) == 0 {
		return errKilled
	}
	return nil
}

func (m *machine) number(n int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.random.IntN(n)
}

// powerCut ends everything that runs; the host comes up again at once.
func (m *machine) powerCut() {
	m.must(m.engine.Close())
	m.boot()
}

func (m *machine) newID() proto.JobID {
	m.jobs++
	return proto.JobID(fmt.Sprintf("random%05d", m.jobs))
}

func (m *machine) turn(knobs app.Knobs) {
	m.t.Helper()
	text, err := json.Marshal(knobs)
	m.must(err)
	file := filepath.Join(m.www, "shared/migration.json")
	m.must(errors.Join(os.WriteFile(file+".new", text, 0o644), os.Rename(file+".new", file)))
}

// paused says whether a command waits in its middle.
func (m *machine) paused() bool {
	_, err := os.Stat(filepath.Join(m.www, "shared/var/migration-paused"))
	return err == nil
}

// unpause lets a command go on that waits in its middle, if it still lives.
func (m *machine) unpause() {
	m.t.Helper()
	m.turn(app.Knobs{Batch: 2})
	ctx, cancel := context.WithTimeout(m.t.Context(), time.Second)
	defer cancel()
	sign := filepath.Join(m.www, "shared/var/migration-paused")
	_ = filewatch.Wait(ctx, filepath.Dir(sign), func() bool { return !m.paused() })
	_ = os.Remove(sign) // that of a killed one stays
}

func (m *machine) job(id proto.JobID) proto.Job {
	m.t.Helper()
	list, err := m.service.List(m.t.Context(), proto.JobsArgs{ID: id})
	m.must(err)
	return list.Jobs[0]
}

// ended waits until a job has ended. Each time a command waits in its middle, middle decides what befalls it.
func (m *machine) ended(id proto.JobID, middle func()) proto.Job {
	m.t.Helper()
	deadline := time.After(10 * time.Minute)
	look := time.NewTicker(2 * time.Millisecond) // a job whose runner is gone has ended once somebody asks
	defer look.Stop()
	for {
		if m.paused() && middle != nil {
			middle()
		}
		if job := m.job(id); job.State.Ended() {
			return job
		}
		select {
		case <-look.C:
		case <-deadline:
			m.t.Fatalf("job %s does not end: %+v", id, m.job(id))
		}
	}
}

// approve simulates a plan and approves it.
func (m *machine) approve(p plan.Plan) proto.Simulation {
	m.t.Helper()
	id := m.newID()
	_, err := m.service.Start(m.t.Context(), proto.JobStartArgs{ID: id, Kind: proto.KindSimulate, Plan: p}, jobstest.Caller)
	m.must(err)
	job := m.ended(id, nil)
	if job.State != proto.JobSucceeded || job.Receipt == nil {
		m.t.Fatalf("simulation: %s, %v", job.State, job.Error)
	}
	var s proto.Simulation
	m.must(proto.DecodeStrict([]byte(job.Receipt.Body), &s))
	approval := proto.Approval{Kind: "approval", Environment: s.Environment, Plan: s.Plan, Figures: s.FiguresDigest(),
		By: "Claire", Time: jobstest.Now(), Expires: jobstest.Now().Add(time.Hour), Nonce: "n"}
	_, err = m.service.Approve(m.t.Context(), proto.ApproveArgs{Approval: m.claire.Sign(m.t, proto.NamespaceApproval, approval)}, jobstest.Caller)
	m.must(err)
	return s
}

// effects are what the application says that happened.
func (m *machine) effects() app.Effects {
	m.t.Helper()
	var out bufferOf
	if status := app.Main([]string{filepath.Join(m.www, "releases/1/bin/console"), app.CommandEffects}, &out, io.Discard); status != 0 {
		m.t.Fatal("cannot read the effects")
	}
	var told app.Effects
	m.must(json.Unmarshal(out, &told))
	return told
}

type bufferOf []byte

func (b *bufferOf) Write(data []byte) (int, error) {
	*b = append(*b, data...)
	return len(data), nil
}
