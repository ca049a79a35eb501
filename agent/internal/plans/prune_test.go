package plans_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/re-connect/rpctl/agent/internal/jobs/jobstest"
	"github.com/re-connect/rpctl/agent/internal/plans"
	"github.com/re-connect/rpctl/proto"
)

// kept is a folder of plans that the test makes by hand.
type kept struct {
	t   *testing.T
	dir string
	plans.Folder
}

func newKept(t *testing.T) kept {
	state := t.TempDir()
	return kept{t, filepath.Join(state, "plans"), plans.New(state, "rp-preprod", "preprod", plans.Keys{})}
}

// add makes the folder of plan n with these files, which changed so long ago, and returns its digest.
func (k kept) add(n int, age time.Duration, files ...string) string {
	k.t.Helper()
	digest := fmt.Sprintf("%064x", n)
	folder := filepath.Join(k.dir, digest)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		k.t.Fatal(err)
	}
	for _, name := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte("{}"), 0o600); err != nil {
			k.t.Fatal(err)
		}
	}
	then := jobstest.Now().Add(-age)
	if err := os.Chtimes(folder, then, then); err != nil {
		k.t.Fatal(err)
	}
	return digest
}

func (k kept) there(digest string) bool {
	_, err := os.Stat(filepath.Join(k.dir, digest))
	return err == nil
}

const day = 24 * time.Hour

// TestPruneKeepsEvidence: of old plans those go that were simulated at most, and no other, whatever else is known of them.
func TestPruneKeepsEvidence(t *testing.T) {
	k := newKept(t)
	want := map[string]bool{}
	for i, c := range []struct {
		age   time.Duration
		files string
		stays bool
	}{
		{40 * day, "plan.json simulation.json", false},
		{40 * day, "plan.json", false},
		{40 * day, "", false},
		{40 * day, "plan.json simulation.json .simulation.json.123", false},
		{20 * day, "plan.json simulation.json", true},
		{4000 * day, "plan.json simulation.json approval.json", true},
		{4000 * day, "plan.json simulation.json revocation.json", true},
		{4000 * day, "plan.json simulation.json steps.json", true}, // which cannot be read
		{4000 * day, "plan.json applied.json", true},
		{4000 * day, "plan.json simulation.json of-a-later-agent.json", true},
	} {
		want[k.add(i, c.age, strings.Fields(c.files)...)] = c.stays
	}
	for i, c := range []struct {
		steps plans.Steps
		stays bool
	}{
		{plans.Steps{Steps: []proto.JobStep{{Step: "1.1", State: proto.StepSimulated}, {Step: "1.2", State: proto.StepPending}}}, false},
		{plans.Steps{Steps: []proto.JobStep{{Step: "1.1", State: proto.StepVerified}}}, true},
		{plans.Steps{Steps: []proto.JobStep{{Step: "1.1", State: proto.StepInterrupted}}}, true},
		{plans.Steps{Steps: []proto.JobStep{{Step: "1.1", State: proto.StepSimulated}}, BreakGlass: "data is lost"}, true},
	} {
		digest := k.add(50+i, 0, "plan.json", "simulation.json")
		if err := k.SaveSteps(digest, c.steps); err != nil {
			t.Fatal(err)
		}
		want[k.add(50+i, 4000*day)] = c.stays
	}
	used := k.add(100, 4000*day, "plan.json", "simulation.json")
	want[used] = true
	if err := k.Prune(jobstest.Now(), map[string]bool{used: true}); err != nil {
		t.Fatal(err)
	}
	for digest, stays := range want {
		if k.there(digest) != stays {
			t.Errorf("plan %s: there %t, want %t", strings.TrimLeft(digest, "0"), !stays, stays)
		}
	}
}

// TestPruneBoundsTheNumber of plans that were simulated: the newest 200 stay, and all of the last day.
func TestPruneBoundsTheNumber(t *testing.T) {
	k := newKept(t)
	for i := range 250 {
		k.add(i, 2*day+time.Duration(i)*time.Minute, "plan.json", "simulation.json")
	}
	for i := range 20 {
		k.add(1000+i, time.Hour, "plan.json", "simulation.json")
	}
	if err := k.Prune(jobstest.Now(), nil); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(k.dir)
	if err != nil || len(left) != 200 || !k.there(fmt.Sprintf("%064x", 0)) || k.there(fmt.Sprintf("%064x", 249)) {
		t.Errorf("%d plans are left, %v", len(left), err)
	}
}

// TestPruneFollowsNoLink and touches nothing that is no plan's folder.
func TestPruneFollowsNoLink(t *testing.T) {
	k, outside := newKept(t), t.TempDir()
	k.add(1, 0)
	if err := os.WriteFile(filepath.Join(outside, "plan.json"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(k.dir, strings.Repeat("a", 64))); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(k.dir, "notes"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := k.Prune(jobstest.Now().Add(100*day), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(outside, "plan.json")); err != nil || !k.there("notes") {
		t.Errorf("%v", err)
	}
}
