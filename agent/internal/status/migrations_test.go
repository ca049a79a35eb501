package status

import (
	"strings"
	"testing"
	"time"

	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

func TestRenderMigrations(t *testing.T) {
	now := time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC)
	s := proto.Status{Host: "rp-prod", Environment: "prod",
		Jobs: []proto.Job{{ID: "job00001", Kind: proto.KindApply, State: proto.JobRunning, Operator: "alice@laptop", User: "app", Created: now.Add(-time.Minute),
			BreakGlass: "friday\x1b[2J", Steps: []proto.JobStep{{Step: "1.1", State: proto.StepVerified}, {Step: "1.2", State: proto.StepRunning}}}},
		Plans: []proto.PlanState{{Centre: "France Fraternités", State: "begun", Ticket: "https://trello.com/c/abc", Steps: 3, Verified: 1, Waiting: []plan.StepID{"1.2"}}},
	}
	var out strings.Builder
	if err := Render(&out, s, Options{Now: now}); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(out.String()), " ")
	for _, want := range []string{"apply job00001, step 1.2 running, by alice@laptop (user app)", "THE GLASS IS BROKEN: friday",
		"1 of 3 steps verified, waiting for an operator's word on step 1.2"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Error("a terminal would act on it")
	}
}
