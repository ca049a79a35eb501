package migration

import (
	"maps"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	seeds "github.com/re-connect/rpctl/lab/app/console"
	"github.com/re-connect/rpctl/lab/labtest"
	"github.com/re-connect/rpctl/proto"
)

// anew seeds preprod's data anew and writes the plan of trouble as one of its own, and simulates it.
func (s *stage) anew(t *testing.T, name string) string {
	t.Helper()
	console(t, s.preprod, "app:seed-migration")
	path := s.plan(t, name+".toml", strings.Replace(trouble, "c/trouble", "c/"+name, 1))
	s.Rpctl(t, 0, migrateArgs(path, "preprod")...)
	return path
}

func (s *stage) approved(t *testing.T, plan string) {
	t.Helper()
	s.Rpctl(t, 0, migrateArgs(plan, "preprod", s.approving()...)...)
}

// movesOf holds preprod's database to who was moved of the two steps.
func (s *stage) movesOf(t *testing.T, first, second int) {
	t.Helper()
	want := map[[2]int64]int{{4537, 5644}: first, {4537, 4960}: second}
	maps.DeleteFunc(want, func(_ [2]int64, n int) bool { return n == 0 })
	if got := effectsOn(t, s.preprod).moved(t); !maps.Equal(got, want) {
		t.Errorf("moved %v, want %v", got, want)
	}
}

// drifted: a social worker gives somebody a value in the middle of a plan. What is left is simulated anew and
// approved anew, and what is verified is not touched.
func drifted(t *testing.T, s *stage) {
	plan := s.anew(t, "drifted")
	s.approved(t, plan)
	console(t, s.preprod, "app:set-field", "--", aloneInCHU75(t), "migration-des-donnees", "CPH")
	s.Rpctl(t, 4, migrateArgs(plan, "preprod", applying...)...).
		Failure(t, "refused", "step 1.2 was not begun: gate 5 (drift) is closed: 11 people would move, the forecast says 10", "rpctl migrate --plan")
	s.movesOf(t, 41, 0)
	steps := s.Rpctl(t, 0, migrateArgs(plan, "preprod")...).Last(t, "figures").Simulation.Steps
	if !steps[0].Done || steps[1].Done || steps[1].Forecast.Moved != 11 || steps[1].Forecast.OriginBefore != 119 {
		t.Errorf("simulated anew: %+v", steps)
	}
	s.Rpctl(t, 4, migrateArgs(plan, "preprod", applying...)...).Failure(t, "refused", "gate 3 (approval) is closed: the figures changed")
	s.approved(t, plan)
	s.Rpctl(t, 0, migrateArgs(plan, "preprod", applying...)...)
	s.movesOf(t, 41, 11)
	if real := effectsOn(t, s.preprod).real(); real != 2 {
		t.Errorf("the command ran %d times for real", real)
	}
}

// aloneInCHU75 is somebody of CHU 75 without a value, and with a household of their own.
func aloneInCHU75(t *testing.T) string {
	t.Helper()
	seed := seeds.Runbook()
	members := map[int64]int{}
	for _, person := range seed.Individuals {
		members[person.Household]++
	}
	for _, person := range seed.Individuals {
		if person.Centre == seeds.CHU75 && person.Values == nil && members[person.Household] == 1 {
			return strconv.FormatInt(person.ID, 10)
		}
	}
	t.Fatal("nobody lives alone")
	return ""
}

// cutNow: `cancel --now` stops the console's unit in the middle of a step. What is left is known, and the
// operator's word goes on with it.
func cutNow(t *testing.T, s *stage) {
	plan := s.anew(t, "cut")
	s.approved(t, plan)
	pauseAt(t, s.preprod, 12)
	r := s.Start(t, migrateArgs(plan, "preprod", applying...)...)
	job := r.Job(t)
	waitUntilPaused(t, s.preprod)
	unit, php := consoleUnit(t, s.preprod)
	if asked := s.Rpctl(t, 0, "cancel", job, "--env", "preprod", "--now").Last(t, "job").Job; !asked.CancelAsked {
		t.Errorf("after the cancel the job is %+v", asked)
	}
	r.Ends(t, 1).Failure(t, "failed", "cancelled by ", "the command of step 1.1 was stopped")
	now := s.onlyJob(t, job)
	if step := now.Steps[0]; now.State != proto.JobCancelled || step.State != proto.StepInterrupted || step.Remaining == nil || *step.Remaining != 31 {
		t.Errorf("the job is %s, step 1.1 %+v", now.State, step)
	}
	if _, err := s.preprod.Run(t.Context(), "test", "-d", "/proc/"+php); err == nil {
		t.Errorf("%s: process %s goes on", unit, php)
	}
	s.movesOf(t, 10, 0)
	goOn(t, s.preprod)
	s.Rpctl(t, 4, migrateArgs(plan, "preprod", applying...)...).Failure(t, "refused", "gate 8 (unresolved) is closed: step 1.1 is interrupted")
	s.Rpctl(t, 0, migrateArgs(plan, "preprod", append([]string{"--resolve", "1.1=rerun", "--reason", "cut off by hand"}, applying...)...)...)
	s.movesOf(t, 41, 10)
}

// signedElsewhere: the approver has stock ssh-keygen and no rpctl.
func signedElsewhere(t *testing.T, s *stage) {
	plan := s.anew(t, "elsewhere")
	request := filepath.Join(t.TempDir(), "approval")
	s.Rpctl(t, 0, migrateArgs(plan, "preprod", "approval-request", "--by", "claire", "-o", request)...)
	bring := func(want int) labtest.Outcome {
		return s.Rpctl(t, want, migrateArgs(plan, "preprod", "approve", "--signed", request)...)
	}
	bring(2).Failure(t, "bad_input", "ssh-keygen -Y sign -f KEY -n approval@rpctl")
	if out, err := exec.CommandContext(t.Context(), "ssh-keygen", "-Y", "sign", "-f", s.Approver(), "-n", proto.NamespaceApproval, request).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, gate := range bring(0).Last(t, "gates").PlanStatus.Gates {
		if gate.Name == "approval" && !gate.Open {
			t.Errorf("%+v", gate)
		}
	}
	s.Rpctl(t, 0, migrateArgs(plan, "preprod", applying...)...)
	s.movesOf(t, 41, 10)
}

// forSomebody: who decided has no key; the host keeps their name, and where their answer stands.
func forSomebody(t *testing.T, s *stage) {
	plan := s.anew(t, "answered")
	const who, where = "Claire (PO)", "https://slack.example/archives/C1/p2"
	s.Rpctl(t, 2, migrateArgs(plan, "preprod", append(s.approving(), "--for", who)...)...).Failure(t, "bad_input", "--for and --evidence go together")
	s.Rpctl(t, 0, migrateArgs(plan, "preprod", append(s.approving(), "--for", who, "--evidence", where)...)...)
	status := s.Rpctl(t, 0, "migrate", "status", "--plan", plan, "--env", "preprod").Last(t, "gates").PlanStatus
	var approval proto.Approval
	if err := proto.DecodeStrict([]byte(status.Approval.Body), &approval); err != nil || approval.For != who || approval.Evidence != where {
		t.Errorf("%+v, %v", approval, err)
	}
	s.Rpctl(t, 0, migrateArgs(plan, "preprod", applying...)...)
	s.movesOf(t, 41, 10)
}
