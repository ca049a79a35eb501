package migration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/lab"
	"github.com/re-connect/rpctl/lab/labtest"
)

const why = "people sleep outside"

func breaking(more ...string) []string {
	return append([]string{"--break-glass", why}, append(more, applying...)...)
}

// glassHolds: where the host's file does not allow it, nobody breaks the glass.
func glassHolds(t *testing.T, s *stage) {
	plan := s.anew(t, "glass")
	s.Rpctl(t, 4, migrateArgs(plan, "preprod", breaking()...)...).Failure(t, "refused", "break-glass is not allowed by this host's agent.toml")
	s.movesOf(t, 0, 0)
}

// glassBreaks: where it is allowed, the gates approval and before are passed and no other, and everybody is told.
func glassBreaks(t *testing.T, s *stage) {
	s.allow(t)
	plan := s.anew(t, "glass")
	pauseAt(t, s.preprod, 12)
	r := s.Start(t, migrateArgs(plan, "preprod", breaking()...)...)
	job := r.Job(t)
	waitUntilPaused(t, s.preprod)
	s.Rpctl(t, 4, migrateArgs(plan, "preprod", breaking()...)...).Failure(t, "refused", "gate 7 (alone) is closed", job)
	if said := s.hostStatus(t); !strings.Contains(said, "THE GLASS IS BROKEN") || !strings.Contains(said, why) {
		t.Errorf("while it runs, the status is\n%s", said)
	}
	s.Rpctl(t, 0, "cancel", job, "--env", "preprod", "--now")
	r.Ends(t, 1)
	goOn(t, s.preprod)
	s.Rpctl(t, 4, migrateArgs(plan, "preprod", breaking()...)...).Failure(t, "refused", "gate 8 (unresolved) is closed: step 1.1 is interrupted")
	s.movesOf(t, 10, 0)
	out := s.Rpctl(t, 0, migrateArgs(plan, "preprod", breaking("--resolve", "1.1=rerun", "--reason", "cut off by hand")...)...)
	s.movesOf(t, 41, 10)
	if applied := out.Last(t, "applied").Applied; applied.BreakGlass != why {
		t.Errorf("the receipt is %+v", applied)
	}
	s.shouted(t, plan)
	// What preprod did behind a broken glass proves nothing to prod.
	console(t, s.prod, "app:seed-migration")
	s.Rpctl(t, 0, migrateArgs(plan, "prod")...)
	s.Rpctl(t, 0, migrateArgs(plan, "prod", s.approving()...)...)
	s.Rpctl(t, 4, migrateArgs(plan, "prod", applying...)...).Failure(t, "refused", "gate 4 (before) is closed: the plan was applied in preprod behind a broken glass")
}

// shouted: the audit, both statuses and the plan's standing say that the glass was broken, and why.
func (s *stage) shouted(t *testing.T, plan string) {
	t.Helper()
	told := 0
	for _, e := range s.Rpctl(t, 0, "history", "--env", "preprod", "-n", "100").Of("history") {
		if e.Audit.Action == "BREAK-GLASS" && strings.Contains(e.Audit.Detail, why) {
			told++
		}
	}
	if told != 2 { // the run that was cut off, and the one that finished it
		t.Errorf("the audit tells of it %d times", told)
	}
	broken := 0
	for _, p := range s.Start(t, "status", "--env", "preprod").Wait(t).Last(t, "status").Status.Plans {
		if p.BreakGlass == why {
			broken++
		}
	}
	if broken != 1 {
		t.Errorf("rpctl status tells of it %d times", broken)
	}
	if said := s.hostStatus(t); !strings.Contains(said, "THE GLASS IS BROKEN") || !strings.Contains(said, why) {
		t.Errorf("the host's status is\n%s", said)
	}
	if standing := s.Rpctl(t, 0, "migrate", "status", "--plan", plan, "--env", "preprod").Last(t, "gates"); !strings.Contains(standing.PlanStatus.Applied.Body, why) {
		t.Errorf("the plan's standing is %+v", standing.PlanStatus)
	}
}

// allow lets preprod's file allow a broken glass, as the reviewed inventory says it.
func (s *stage) allow(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(s.Inventory)
	if err != nil {
		t.Fatal(err)
	}
	const at = "[environments.preprod.console]\n"
	allowed := strings.Replace(string(text), at, at+"break_glass = true\n", 1)
	if allowed == string(text) {
		t.Fatalf("the inventory has no %s", at)
	}
	// Beside the other, for the file of approvers that it names.
	path := filepath.Join(filepath.Dir(s.Inventory), "allowed.toml")
	if err := os.WriteFile(path, []byte(allowed), 0o644); err != nil {
		t.Fatal(err)
	}
	s.Inventory = path // for the chapters that follow, too
	s.agent(t, 0, "install", string(lab.Preprod))
	if file := labtest.Read(t, s.preprod, "/etc/rp-agent/agent.toml"); !strings.Contains(file, "break_glass = true") {
		t.Fatalf("agent.toml is\n%s", file)
	}
}

// hostStatus is what the host says of itself: that not all its workers are well is another matter.
func (s *stage) hostStatus(t *testing.T) string {
	t.Helper()
	said, _ := s.SSH(t.Context(), "rp-preprod", "rp-agent", "status")
	return said
}
