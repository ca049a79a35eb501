package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/re-connect/rpctl/agent/internal/audit"
	"github.com/re-connect/rpctl/agent/internal/config"
	"github.com/re-connect/rpctl/agent/internal/jobs/console"
	"github.com/re-connect/rpctl/agent/internal/jobs/store"
	"github.com/re-connect/rpctl/agent/internal/stateform"
	"github.com/re-connect/rpctl/agent/internal/units"
	"github.com/re-connect/rpctl/internal/signature"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/systemd"
)

// fakeManager answers as a good Debian 12 does, but for what a test changes.
type fakeManager struct {
	start, stop           error
	startOnce             error // instead of start, at the first time
	stale                 bool
	version, polkit, virt string
	unsynchronized        bool
	expected              []string
	runsAs                string
	asked                 []string
}

func (m *fakeManager) Expected(_ context.Context, p proto.UnitPattern) ([]string, error) {
	return m.expected, nil
}
func (m *fakeManager) Identity(_ context.Context, unit string) (units.Identity, error) {
	return units.Identity{Name: unit, User: m.runsAs}, nil
}
func (m *fakeManager) ProbeStop(_ context.Context, unit string) error {
	m.asked = append(m.asked, "stop "+unit)
	return m.stop
}
func (m *fakeManager) ProbeStart(_ context.Context, unit string) error {
	m.asked = append(m.asked, "start "+unit)
	if once := m.startOnce; once != nil {
		m.startOnce = nil
		return once
	}
	return m.start
}
func (m *fakeManager) Stale(context.Context, string) (bool, error)     { return m.stale, nil }
func (m *fakeManager) Version(context.Context) (string, error)         { return m.version, nil }
func (m *fakeManager) PolkitVersion(context.Context) (string, error)   { return m.polkit, nil }
func (m *fakeManager) ClockSynchronized(context.Context) (bool, error) { return !m.unsynchronized, nil }
func (m *fakeManager) Virtualization(context.Context) (string, error)  { return m.virt, nil }

type fakeJournal []proto.LogLine

func (j fakeJournal) Follow(_ context.Context, _ []string, _ int, _ bool, emit func(proto.LogLine) error) error {
	for _, line := range j {
		if err := emit(line); err != nil {
			return err
		}
	}
	return nil
}

type fakeReleases struct {
	release proto.Release
	err     error
}

func (r fakeReleases) Current() (proto.Release, error) { return r.release, r.err }

// healthy is a host in a temporary folder on which nothing is wrong, as setup leaves it.
type healthy struct {
	Host
	copies  [][]byte // of the audit's lines, in the journal
	root    string
	manager *fakeManager
	cfg     proto.HostConfig
	stolen  string // a path that belongs to somebody else
	// keys are how many are accepted, by file.
	keys       map[string]int
	signersErr error

	applicationIsOperator bool
}

// owners answers as setup leaves them: a test that is not root cannot give files away.
func (h *healthy) owners(name string, _, _ uint32) (owner, group string) {
	switch {
	case name == h.stolen:
		return "mallory", "mallory"
	case name == proto.SocketPath:
		return "root", "rpctl"
	case strings.HasPrefix(name, "/var/lib/rp-agent/"):
		return "rp-agent", "rp-agent"
	}
	for _, folder := range systemd.Folders {
		if folder.Path == name {
			return folder.Owner, folder.Group
		}
	}
	return "root", "root"
}

func newHealthy(t *testing.T) *healthy {
	t.Helper()
	root := t.TempDir()
	h := &healthy{root: root, manager: &fakeManager{
		start: fmt.Errorf("%w: Access denied", units.ErrRefused), version: "252.39-1~deb12u2", polkit: "122", expected: []string{"w@1.service"}, runsAs: "app",
	}}
	h.cfg = proto.HostConfig{
		Environment: "preprod",
		Application: proto.Application{Path: filepath.Join(root, "home/app/www"), User: "app"},
		Workers:     []proto.UnitPattern{"messenger_worker_async@*.service"},
		Look:        []string{"root"}, Act: []string{"root"},
		Console: &proto.Console{PHP: "/usr/bin/php", Script: "bin/console", After: "preprod", SimulationHours: 1},
	}
	h.keys = map[string]int{config.ApproversPath: 2, config.TrustedHostsPath: 1}
	h.write(t, "/usr/bin/php", []byte("php"), 0o755)
	files, err := systemd.Files(h.cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		h.write(t, file.Path, file.Content, file.Mode)
	}
	for _, folder := range systemd.Folders {
		h.mkdir(t, folder.Path)
		if err := os.Chmod(filepath.Join(root, folder.Path), folder.Mode); err != nil {
			t.Fatal(err)
		}
	}
	h.write(t, systemd.Binary, []byte("agent"), 0o755)
	h.write(t, "/var/lib/rp-agent/receipt_key", []byte("key"), 0o600)
	h.write(t, "/var/lib/rp-agent/receipt_key.pub", []byte("key"), 0o644)
	h.write(t, proto.SocketPath, nil, 0o660)
	h.write(t, "/home/app/www/releases/7/bin/console", []byte("#!/usr/bin/env php"), 0o755)
	if err := stateform.Bring(t.Context(), filepath.Join(root, "var/lib/rp-agent")); err != nil {
		t.Fatal(err)
	}
	h.Host = Host{
		Config:   func() (proto.HostConfig, error) { return h.cfg, nil },
		State:    filepath.Join(root, "var/lib/rp-agent"),
		Releases: fakeReleases{release: proto.Release{Name: "7"}},
		Journal:  fakeJournal{{Message: "hello"}},
		Now:      func() time.Time { return time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC) },
		Space:    func(string) (Space, error) { return Space{Bytes: 1 << 30, Inodes: 1 << 20, CountsInodes: true}, nil },
		Installed: &Installed{
			Root:     root,
			Owners:   h.owners,
			HasGroup: func(name string) bool { return name == "root" || name == "rpctl" },
			Signers:  h.signers, Hosts: h.signers,
			Copies:  func(context.Context) ([][]byte, error) { return h.copies, nil },
			InGroup: func(user, group string) bool { return h.applicationIsOperator && user == "app" && group == "rpctl" },
			Connect: func(context.Context) (Manager, func() error, error) {
				return h.manager, func() error { return nil }, nil
			},
		},
	}
	_, err = audit.New(h.State).Copying(func(line []byte) { h.copies = append(h.copies, bytes.Clone(line)) }).
		Append(proto.AuditEntry{Action: audit.ActionRecord, User: "app"})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *healthy) signers(path string) (signature.Signers, error) {
	if h.signersErr != nil {
		return nil, h.signersErr
	}
	return make(signature.Signers, h.keys[path]), nil
}

func (h *healthy) mkdir(t *testing.T, name string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(h.root, name), 0o755); err != nil {
		t.Fatal(err)
	}
}

func (h *healthy) write(t *testing.T, name string, content []byte, mode os.FileMode) {
	t.Helper()
	h.mkdir(t, filepath.Dir(name))
	full := filepath.Join(h.root, name)
	if err := errors.Join(os.WriteFile(full, content, mode), os.Chmod(full, mode)); err != nil {
		t.Fatal(err)
	}
}

// checks is the report by name.
func checks(t *testing.T, report proto.DoctorReport) map[string]proto.Check {
	t.Helper()
	byName := map[string]proto.Check{}
	for _, check := range report.Checks {
		byName[string(check.Name)] = check
	}
	if len(byName) != len(probes) {
		t.Fatalf("%d checks for %d probes: %+v", len(byName), len(probes), report)
	}
	return byName
}

func TestHealthyHost(t *testing.T) {
	h := newHealthy(t)
	for name, check := range checks(t, h.Run(t.Context())) {
		if !check.OK || check.Skipped != (name == "login shell") {
			t.Errorf("%+v", check)
		}
	}
	for _, asked := range h.manager.asked {
		if strings.Contains(asked, "@1.") {
			t.Errorf("a probe touched a unit that may run: %s", asked)
		}
	}
}

// Each line breaks one assumption; exactly that check must fail, say what, and give a fix.
func TestEveryBrokenAssumptionIsFound(t *testing.T) {
	refused := fmt.Errorf("%w: Access denied", units.ErrRefused)
	for _, c := range []struct {
		check, says string
		change      func(t *testing.T, h *healthy)
	}{
		{"agent binary", "rights", func(t *testing.T, h *healthy) { h.chmod(t, systemd.Binary, 0o775) }},
		{"agent binary", "could change the agent", func(t *testing.T, h *healthy) { h.chmod(t, "/usr/local/bin", 0o777) }},
		{"agent binary", "could change the agent", func(_ *testing.T, h *healthy) { h.stolen = "/usr/local" }},
		{"systemd", "made for 252", func(_ *testing.T, h *healthy) { h.manager.version = "247.3-7+deb11u4" }},
		{"polkit", "no rules in JavaScript", func(_ *testing.T, h *healthy) { h.manager.polkit = "0.105" }},
		{"polkit rule", "not ours", func(_ *testing.T, h *healthy) { h.manager.start = nil }},
		{"polkit rule", "missing or broken", func(_ *testing.T, h *healthy) { h.manager.start = fmt.Errorf("x: %w", units.ErrNoRule) }},
		{"polkit rule", "does not allow", func(_ *testing.T, h *healthy) { h.manager.stop = refused }},
		{"units", "not as this agent", func(t *testing.T, h *healthy) {
			h.write(t, systemd.UnitDir+"/rp-agent@.service", []byte("[Service]\nUser=root\n"), 0o644)
		}},
		{"units", "missing", func(t *testing.T, h *healthy) { h.remove(t, systemd.DropInPath("rp-agent@.service")) }},
		{"units", "rights", func(t *testing.T, h *healthy) { h.chmod(t, systemd.UnitDir+"/rp-agent@.service", 0o666) }},
		{"units", "has not read", func(_ *testing.T, h *healthy) { h.manager.stale = true }},
		{"socket", "missing", func(t *testing.T, h *healthy) { h.remove(t, proto.SocketPath) }},
		{"socket", "rights", func(t *testing.T, h *healthy) { h.chmod(t, proto.SocketPath, 0o666) }},
		{"groups", "nobody is in it", func(_ *testing.T, h *healthy) { h.cfg.Act = []string{"deployers"} }},
		{"folders", "belongs to mallory", func(_ *testing.T, h *healthy) { h.stolen = "/var/lib/rp-agent-console/ends" }},
		{"folders", "is a link", func(t *testing.T, h *healthy) {
			h.remove(t, "/var/lib/rp-agent-console/output")
			if err := os.Symlink("/tmp", filepath.Join(h.root, "/var/lib/rp-agent-console/output")); err != nil {
				t.Fatal(err)
			}
		}},
		{"state", "could not be brought to form", func(t *testing.T, h *healthy) { h.remove(t, "/var/lib/rp-agent/form.json") }},
		{"state", "a newer rp-agent", func(t *testing.T, h *healthy) {
			h.write(t, "/var/lib/rp-agent/form.json", []byte(`{"version":1,"content":{"number":99,"agent":"v9"}}`), 0o600)
		}},
		{"receipt key", "rights", func(t *testing.T, h *healthy) { h.chmod(t, "/var/lib/rp-agent/receipt_key", 0o640) }},
		{"workers", "no instance", func(_ *testing.T, h *healthy) { h.manager.expected = nil }},
		{"workers", "w@1.service runs as root, not as the application's user app", func(_ *testing.T, h *healthy) { h.manager.runsAs = "" }},
		{"operators", "PHP may hold the lease", func(_ *testing.T, h *healthy) { h.applicationIsOperator = true }},
		{"journal", "not one line", func(_ *testing.T, h *healthy) { h.Journal = fakeJournal{} }},
		{"audit in the journal", "entry 1 of", func(_ *testing.T, h *healthy) { _ = os.Remove(filepath.Join(h.State, "audit.jsonl")) }},
		{"clock", "no time server", func(_ *testing.T, h *healthy) { h.manager.unsynchronized = true }},
		{"disk", "audit could not be written", func(_ *testing.T, h *healthy) {
			h.Space = func(string) (Space, error) { return Space{Bytes: 1 << 20, Inodes: 1 << 20}, nil }
		}},
		{"disk", "0 inodes", func(_ *testing.T, h *healthy) {
			h.Space = func(string) (Space, error) { return Space{Bytes: 1 << 40, CountsInodes: true}, nil }
		}},
		{"migrations", "no program", func(t *testing.T, h *healthy) { h.chmod(t, "/usr/bin/php", 0o644) }},
		{"migrations", "is no program", func(t *testing.T, h *healthy) { h.remove(t, "/usr/bin/php") }},
		{"migrations", "no host is trusted", func(_ *testing.T, h *healthy) { h.keys[config.TrustedHostsPath] = 0 }},
		{"migrations", "may not be believed", func(_ *testing.T, h *healthy) { h.signersErr = errors.New("it may not be believed") }},
		{"console", "no bin/console", func(t *testing.T, h *healthy) { h.remove(t, "/home/app/www/releases/7/bin/console") }},
		{"console", "cannot be executed", func(t *testing.T, h *healthy) { h.chmod(t, "/home/app/www/releases/7/bin/console", 0o644) }},
	} {
		t.Run(c.check+": "+c.says, func(t *testing.T) {
			h := newHealthy(t)
			c.change(t, h)
			for name, check := range checks(t, examined(t, h)) {
				if check.OK == (name == c.check) {
					t.Errorf("%+v", check)
				}
				if name == c.check && (!strings.Contains(string(check.Detail), c.says) || check.Fix == "" && !strings.Contains(string(check.Detail), "upgrade the host")) {
					t.Errorf("want %q and a fix, got %+v", c.says, check)
				}
				if strings.HasPrefix(check.Fix, "rpctl ") && !strings.HasSuffix(check.Fix, " --env preprod") {
					t.Errorf("a fix without the environment: %+v", check)
				}
			}
		})
	}
}

// examined is the report of a host where something fails, without the wait for the second look.
func examined(t *testing.T, h *healthy) (report proto.DoctorReport) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { report = h.Run(t.Context()) })
	return report
}

func (h *healthy) chmod(t *testing.T, name string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(filepath.Join(h.root, name), mode); err != nil {
		t.Fatal(err)
	}
}

func (h *healthy) remove(t *testing.T, name string) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(h.root, name)); err != nil {
		t.Fatal(err)
	}
}

func TestBadConfigSkipsWhatNeedsIt(t *testing.T) {
	h := newHealthy(t)
	h.Config = func() (proto.HostConfig, error) {
		return proto.HostConfig{}, &proto.Error{Code: proto.CodeConfig, Message: "cannot use it: \x1b[2J line 3", Advice: proto.Advice{Code: proto.AdviceDiff}}
	}
	got := checks(t, examined(t, h))
	if c := got["config"]; c.OK || c.Fix != "rpctl agent diff" || strings.Contains(string(c.Detail), "\x1b") {
		t.Errorf("%+v", c)
	}
	for _, name := range []string{"units", "workers", "release", "groups"} {
		if c := got[name]; !c.OK || !c.Skipped {
			t.Errorf("%+v", c)
		}
	}
}

func TestUnsynchronizedClockOfAContainerIsNotItsFault(t *testing.T) {
	h := newHealthy(t)
	h.manager.unsynchronized, h.manager.virt = true, "systemd-nspawn"
	if c := checks(t, h.Run(t.Context()))["clock"]; !c.OK || !c.Skipped {
		t.Errorf("%+v", c)
	}
	h.manager.virt = "kvm"
	if c := checks(t, examined(t, h))["clock"]; c.OK {
		t.Errorf("%+v", c)
	}
}

func TestEmbeddedHostSaysWhatDoesNotApply(t *testing.T) {
	h := newHealthy(t)
	h.Installed = nil
	for name, check := range checks(t, h.Run(t.Context())) {
		applies := map[string]bool{"config": true, "state": true, "release": true, "console": true, "clock": true, "disk": true}[name]
		if !check.OK || check.Skipped == applies {
			t.Errorf("%+v", check)
		}
	}
}

// TestNobodyMayApproveYet: a host without approvers is in good health, and is not said to be ready.
func TestNobodyMayApproveYet(t *testing.T) {
	h := newHealthy(t)
	h.keys[config.ApproversPath] = 0
	check := checks(t, h.Run(t.Context()))["migrations"]
	if !check.OK || !check.Skipped || !strings.Contains(string(check.Detail), "no plan can be approved") {
		t.Errorf("%+v", check)
	}
}

// TestApplicationAsOperatorIsAWarningBeforeProd: where no environment comes first, it is allowed and said.
func TestApplicationAsOperatorIsAWarningBeforeProd(t *testing.T) {
	h := newHealthy(t)
	h.applicationIsOperator = true
	h.cfg.Console.After = ""
	check := checks(t, h.Run(t.Context()))["operators"]
	if !check.OK || !check.Skipped || !strings.Contains(string(check.Detail), "warning: the application's user app is in group rpctl") {
		t.Errorf("%+v", check)
	}
}

// TestRunOfNoJobIsFound: root records the end of every console run, also of one that user rp-agent started past its own jobs.
func TestRunOfNoJobIsFound(t *testing.T) {
	h := newHealthy(t)
	ends := filepath.Join(console.Base, "ends")
	known, stray := console.NewRealID("testjob00001", "1.1"), console.NewDryID("nojob000001", 0)
	record := store.Record{Job: proto.Job{ID: "testjob00001", Created: time.Now(), State: proto.JobSucceeded}, Runs: []store.Run{{Console: known}}}
	spec := store.Spec{Args: proto.JobStartArgs{ID: "testjob00001"}}
	if err := os.MkdirAll(filepath.Join(h.State, "jobs"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := store.New(h.State).Create(spec, record); err != nil {
		t.Fatal(err)
	}
	h.write(t, filepath.Join(ends, string(known)+".json"), []byte("{}"), 0o644)
	if check := checks(t, h.Run(t.Context()))["console runs"]; !check.OK {
		t.Errorf("%+v", check)
	}
	h.write(t, filepath.Join(ends, string(stray)+".json"), []byte("{}"), 0o644)
	if check := checks(t, h.Run(t.Context()))["console runs"]; check.OK || !strings.Contains(string(check.Detail), string(stray)) ||
		!strings.Contains(string(check.Detail), "in other hands") || !strings.Contains(string(check.Detail), "restored from a backup") || !strings.Contains(check.Fix, "journalctl") {
		t.Errorf("%+v", check)
	}
}
