package store

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/re-connect/rpctl/agent/internal/statefile"
	"github.com/re-connect/rpctl/proto"
)

var now = time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC)

func job(id proto.JobID, created time.Time) (Spec, Record) {
	return Spec{Args: proto.JobStartArgs{ID: id}, Created: created},
		Record{Job: proto.Job{ID: id, State: proto.JobSucceeded, Created: created, Ended: created, Steps: []proto.JobStep{}}}
}

func newStore(t *testing.T) Store {
	t.Helper()
	s := New(t.TempDir())
	release, err := s.Admit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	release()
	return s
}

// TestFolderIsThePermission: one creator, and a folder that was left before the job was whole is nobody's.
func TestFolderIsThePermission(t *testing.T) {
	s := newStore(t)
	spec, record := job("testjob1", now)
	if err := s.Create(spec, record); err != nil {
		t.Fatal(err)
	}
	if err := s.Create(spec, record); !errors.Is(err, ErrExists) {
		t.Errorf("twice: %v", err)
	}
	if err := os.Remove(s.path("testjob1", "job.json")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Load("testjob1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("half a job: %v", err)
	}
	if err := s.Create(spec, record); err != nil {
		t.Errorf("after one that was cut off: %v", err)
	}
	spec.Args.ID = "../../etc"
	if err := s.Create(spec, record); err == nil {
		t.Error("a path was taken for an id")
	}
}

func TestRecordOfANewerAgentIsRefused(t *testing.T) {
	s := newStore(t)
	spec, record := job("testjob1", now)
	if err := s.Create(spec, record); err != nil {
		t.Fatal(err)
	}
	if err := statefile.Write(s.path("testjob1", "job.json"), recordVersion+1, record, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Load("testjob1"); err == nil || !strings.Contains(err.Error(), "newer rp-agent") {
		t.Error(err)
	}
	if all, err := s.List(); len(all) != 0 || err == nil {
		t.Errorf("%v, %v", all, err)
	}
}

func TestOneRunner(t *testing.T) {
	s := newStore(t)
	spec, record := job("testjob1", now)
	if err := s.Create(spec, record); err != nil {
		t.Fatal(err)
	}
	release, err := s.Own("testjob1")
	if err != nil || release == nil {
		t.Fatal(err)
	}
	if second, err := s.Own("testjob1"); second != nil || err != nil {
		t.Errorf("a second runner: %v", err)
	}
	if owned, err := s.Owned("testjob1"); !owned || err != nil {
		t.Errorf("owned %v, %v", owned, err)
	}
	release()
	if owned, err := s.Owned("testjob1"); owned || err != nil {
		t.Errorf("afterwards: owned %v, %v", owned, err)
	}
}

func TestCancelNowStays(t *testing.T) {
	s := newStore(t)
	spec, record := job("testjob1", now)
	if err := s.Create(spec, record); err != nil {
		t.Fatal(err)
	}
	first := Cancel{Now: true, User: "alice", Time: now}
	for _, wish := range []Cancel{first, {User: "bob", Time: now.Add(time.Minute)}, {Now: true, User: "carol", Time: now.Add(time.Hour)}} {
		if counts, err := s.AskCancel("testjob1", wish); err != nil || counts != first {
			t.Fatalf("%+v, %v", counts, err)
		}
		if asked, err := s.CancelAsked("testjob1"); err != nil || asked == nil || *asked != first {
			t.Errorf("%+v, %v", asked, err)
		}
	}
}

func TestPrunable(t *testing.T) {
	old, new := now.Add(-keepFor-time.Hour), now.Add(-2*keepLeast)
	for name, c := range map[string]struct {
		place int
		ended time.Time
		state proto.JobState
		want  bool
	}{
		"old, among the newest":    {KeepAlways - 1, old, proto.JobFailed, false},
		"old":                      {KeepAlways, old, proto.JobFailed, true},
		"new":                      {KeepAlways, new, proto.JobFailed, false},
		"new, but too many":        {keepMost, new, proto.JobFailed, true},
		"just ended, but too many": {keepMost, now.Add(-time.Hour), proto.JobFailed, false},
		"has not ended":            {keepMost, time.Time{}, proto.JobRunning, false},
	} {
		if got := prunable(c.place, proto.Job{State: c.state, Ended: c.ended}, now); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// FuzzRecord: whatever stands in a state file, it is read or refused.
func FuzzRecord(f *testing.F) {
	dir := f.TempDir()
	_, record := job("testjob1", now)
	path := filepath.Join(dir, "job.json")
	if err := statefile.Write(path, recordVersion, record, 0o600); err != nil {
		f.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Fuzz(func(t *testing.T, data []byte) {
		var r Record
		if statefile.Decode(data, recordVersion, &r) != nil {
			return
		}
		if run := r.Current(); run != nil && !run.Open() {
			t.Errorf("%+v", run)
		}
		_ = r.Step("1.1")
		_ = r.Last("1.1", Real)
	})
}

// TestPruneTakesWhatIsNoJob: a folder that a crash left half made or half removed goes once nobody can be making it.
func TestPruneTakesWhatIsNoJob(t *testing.T) {
	s := newStore(t)
	for _, id := range []proto.JobID{"halfmade1", "whole0001"} {
		spec, record := job(id, now)
		if err := s.Create(spec, record); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(s.path("halfmade1", "job.json")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Spec("halfmade1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("what was asked of half a job: %v", err)
	}
	for _, c := range []struct {
		after time.Duration
		want  int // with the lock
	}{{keepLeast / 2, 3}, {2 * keepLeast, 2}} {
		if err := s.Prune(time.Now().Add(c.after)); err != nil {
			t.Fatal(err)
		}
		if left, err := os.ReadDir(s.dir); err != nil || len(left) != c.want {
			t.Errorf("after %v: %v, %v", c.after, left, err)
		}
	}
}
