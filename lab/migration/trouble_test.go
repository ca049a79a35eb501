package migration

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/re-connect/rpctl/lab/labtest"
	"github.com/re-connect/rpctl/proto"
)

// trouble is a plan of two steps, of 41 and of 10 people, that everything happens to.
const trouble = `version = 1
ticket = "https://trello.com/c/trouble"
centre = "France Fraternités"
field = "migration-des-donnees"

[centres]
4537 = "France Fraternités - CHU 75"
4960 = "France Fraternités - CPH"
5644 = "France Fraternités - CHU 77"

[[groups]]
steps = [
  { origin = 4537, destination = 5644, value = "CHU 77" },
  { origin = 4537, destination = 4960, value = "CPH" },
]
`

func troubleArgs(s *stage, more ...string) []string {
	return migrateArgs(filepath.Join(s.plans, "trouble.toml"), "preprod", more...)
}

// rerun is the operator's word on the second step.
func rerun(reason string) []string {
	return append([]string{"--resolve", "1.2=rerun", "--reason", reason}, applying...)
}

// movedInTrouble holds the database to what was moved of the two steps, and to how often the command ran for real.
func movedInTrouble(t *testing.T, s *stage, first, second, runs int) {
	t.Helper()
	want := map[[2]int64]int{}
	for move, n := range map[[2]int64]int{{4537, 5644}: first, {4537, 4960}: second} {
		if n > 0 {
			want[move] = n
		}
	}
	e := effectsOn(t, s.preprod)
	if got := e.moved(t); !maps.Equal(got, want) {
		t.Errorf("moved %v, want %v", got, want)
	}
	if e.real() != runs {
		t.Errorf("the command ran %d times for real, want %d", e.real(), runs)
	}
}

// pausedAt applies the plan of trouble up to a row of its next step, and returns the one who watches.
func (s *stage) pausedAt(t *testing.T, row int, args ...string) (*labtest.Running, string) {
	t.Helper()
	pauseAt(t, s.preprod, row)
	r := s.Start(t, troubleArgs(s, args...)...)
	job := r.Job(t)
	waitUntilPaused(t, s.preprod)
	return r, job
}

// viewerKilled: who watches dies in the middle of a step, and another goes on watching. The job stays
// in the middle of its first step for the chapters that follow.
func viewerKilled(t *testing.T, s *stage) {
	console(t, s.preprod, "app:seed-migration")
	s.plan(t, "trouble.toml", trouble)
	s.Rpctl(t, 0, troubleArgs(s)...)
	s.Rpctl(t, 0, troubleArgs(s, s.approving()...)...)
	prepend(t, s.preprod)
	r, job := s.pausedAt(t, 12, applying...)
	r.Signal(t, os.Kill)
	r.Wait(t)
	watching := s.Start(t, "attach", job, "--env", "preprod")
	watching.Until(t, func(e labtest.Event) bool { return e.Event == "console" && strings.Contains(string(e.Data), "migrés") })
	if again := watching.Job(t); again != job {
		t.Errorf("attached to %s instead of %s", again, job)
	}
	watching.Signal(t, os.Kill)
	watching.Wait(t)
	if state := s.onlyJob(t, job).State; state != proto.JobRunning {
		t.Errorf("the job is %s", state)
	}
	movedInTrouble(t, s, 10, 0, 1)
}

// onlyJob is what the host says of a job.
func (s *stage) onlyJob(t *testing.T, id string) proto.Job {
	t.Helper()
	for _, e := range s.Rpctl(t, 0, "jobs", "--env", "preprod", "-n", "200").Of("job") {
		if string(e.Job.ID) == id {
			return *e.Job
		}
	}
	t.Fatalf("there is no job %s", id)
	return proto.Job{}
}

// runningJob is the one job that has not ended.
func (s *stage) runningJob(t *testing.T) string {
	t.Helper()
	for _, e := range s.Rpctl(t, 0, "jobs", "--env", "preprod").Of("job") {
		if !e.Job.State.Ended() {
			return string(e.Job.ID)
		}
	}
	t.Fatal("no job runs")
	return ""
}

// nobodyElse: while data is changed, there is no deploy, no second plan and no simulation.
func nobodyElse(t *testing.T, s *stage) {
	job := s.runningJob(t)
	deploy := s.Rpctl(t, 4, "deploy", "--env", "preprod")
	deploy.Failure(t, "refused", "developer@", "migration (job "+job+")", "rpctl attach "+job+" --env preprod")
	s.Rpctl(t, 4, troubleArgs(s, applying...)...).Failure(t, "refused", "gate 7 (alone) is closed", job)
	s.migrate(t, 4, "preprod").Failure(t, "refused", "gate 7 (alone) is closed", job)
	movedInTrouble(t, s, 10, 0, 1)
}

// runnerKilled: systemd brings the runner back, and it finds the command that still runs.
func runnerKilled(t *testing.T, s *stage) {
	unit := "rp-agent-run@" + s.runningJob(t) + ".service"
	before := labtest.Property(t, s.preprod, unit, "MainPID")
	_, php := consoleUnit(t, s.preprod)
	labtest.On(t, s.preprod, "systemctl", "kill", "-s", "KILL", unit)
	labtest.Eventually(t, 3*time.Minute, func() error {
		if now := labtest.Property(t, s.preprod, unit, "MainPID"); now == "0" || now == before {
			return errors.New("the runner does not come back")
		}
		return nil
	})
	if _, now := consoleUnit(t, s.preprod); now != php {
		t.Errorf("the console command was process %s and is %s", php, now)
	}
}

// cancelled: the step in hand is finished and verified, the next is not begun.
func cancelled(t *testing.T, s *stage) {
	job := s.runningJob(t)
	watching := s.Start(t, "attach", job, "--env", "preprod")
	watching.Job(t)
	if asked := s.Rpctl(t, 0, "cancel", job, "--env", "preprod").Last(t, "job").Job; !asked.CancelAsked || asked.State.Ended() {
		t.Errorf("after the cancel the job is %+v", asked)
	}
	goOn(t, s.preprod)
	out := watching.Ends(t, 1)
	out.Failure(t, "failed", "cancelled")
	if said := out.Stdout(t); !strings.Contains(said, "Migration terminée: 41 suivis migrés") {
		t.Errorf("the output of the step is cut off:\n%s", said)
	}
	steps := s.onlyJob(t, job).Steps
	if steps[0].State != proto.StepVerified || steps[1].State != proto.StepSimulated {
		t.Errorf("the steps are %s and %s", steps[0].State, steps[1].State)
	}
	movedInTrouble(t, s, 41, 0, 1)
}

// consoleKilled: half a step is told as half a step, and nothing runs again by itself.
func consoleKilled(t *testing.T, s *stage) {
	r, job := s.pausedAt(t, 5, applying...)
	_, php := consoleUnit(t, s.preprod)
	labtest.On(t, s.preprod, "kill", "-KILL", php)
	r.Ends(t, 1).Failure(t, "failed", "step 1.2 is interrupted", "killed", "--resolve 1.2=rerun or 1.2=done")
	step := s.onlyJob(t, job).Steps[1]
	if step.State != proto.StepInterrupted || step.Remaining == nil || *step.Remaining != 6 {
		t.Errorf("step 1.2 is %s, and %v remain", step.State, step.Remaining)
	}
	movedInTrouble(t, s, 41, 4, 2)
	s.Rpctl(t, 4, troubleArgs(s, applying...)...).Failure(t, "refused", "gate 8 (unresolved) is closed", "1.2")
	s.Rpctl(t, 4, troubleArgs(s, append([]string{"--resolve", "1.2=done", "--reason", "looks good to me"}, applying...)...)...).
		Failure(t, "refused", "gate 8", "cannot be resolved as done")
	movedInTrouble(t, s, 41, 4, 2)
}

// powerCut: a host that went down in the middle of a step knows it when it is back, and the one who
// watched all the time learns it.
func powerCut(t *testing.T, s *stage) {
	r, job := s.pausedAt(t, 3, rerun("looked at by hand")...)
	if err := s.preprod.PowerCut(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.preprod.Boot(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.Ends(t, 1).Failure(t, "failed", "interrupted", "nothing is run again by itself")
	now := s.onlyJob(t, job)
	if now.State != proto.JobInterrupted || now.Steps[1].State != proto.StepInterrupted {
		t.Errorf("the job is %s, step 1.2 %s", now.State, now.Steps[1].State)
	}
	if units := labtest.On(t, s.preprod, "systemctl", "list-units", "--all", "--plain", "--no-legend", "rp-agent-run@*", "rp-agent-console@*", "rp-agent-dryrun@*"); units != "" {
		t.Errorf("after the boot there are\n%s", units)
	}
	s.ssh(t, "rp-preprod", "rp-agent", "audit", "verify")
	movedInTrouble(t, s, 41, 6, 3)
	s.Rpctl(t, 4, troubleArgs(s, applying...)...).Failure(t, "refused", "gate 8 (unresolved) is closed")
}

// lastWord: what is left is run, on the operator's word, and the plan is done.
func lastWord(t *testing.T, s *stage) {
	goOn(t, s.preprod)
	out := s.Rpctl(t, 0, troubleArgs(s, rerun("the power was cut")...)...)
	if steps := out.Last(t, "applied").Applied.Steps; len(steps) != 2 {
		t.Errorf("the receipt is of %d steps", len(steps))
	}
	movedInTrouble(t, s, 41, 10, 4)
	s.Rpctl(t, 4, troubleArgs(s, rerun("once more")...)...).Failure(t, "refused", "every step of this plan is verified already")
}

// sharing is a plan that takes an accommodation from people who stay; %s is what was decided.
const sharing = `version = 1
ticket = "https://trello.com/c/sharing"
centre = "France Fraternités"
field = "migration-des-donnees"

[centres]
4537 = "France Fraternités - CHU 75"
5644 = "France Fraternités - CHU 77"

[[groups]]
[[groups.steps]]
origin = 4537
destination = 5644
value = "CHU 77"
with_accommodations = true
%s`

// sharedAccommodation: 892 moves only when somebody has decided that, and then as decided.
func sharedAccommodation(t *testing.T, s *stage) {
	console(t, s.preprod, "app:seed-migration")
	plan := s.plan(t, "sharing.toml", fmt.Sprintf(sharing, ""))
	conflicts := s.Rpctl(t, 0, migrateArgs(plan, "preprod")...).Last(t, "figures").Simulation.Steps[0].Result.Conflicts
	if len(conflicts) != 1 || conflicts[0].Accommodation != 892 {
		t.Fatalf("the conflicts are %+v", conflicts)
	}
	s.Rpctl(t, 4, migrateArgs(plan, "preprod", s.approving()...)...).Failure(t, "refused", "accommodation 892")
	s.Rpctl(t, 4, migrateArgs(plan, "preprod", applying...)...).Failure(t, "refused", "gate 2 (conflicts) is closed", "892")

	decided := "decisions = [{ accommodation = 892, accepted = true, by = \"Marie\", why = \"they move next week\" }]\n"
	plan = s.plan(t, "decided.toml", fmt.Sprintf(sharing, decided))
	for _, more := range [][]string{nil, s.approving(), applying} {
		s.Rpctl(t, 0, migrateArgs(plan, "preprod", more...)...)
	}
	e, detached := effectsOn(t, s.preprod), 0
	if got := e.moved(t); !maps.Equal(got, map[[2]int64]int{{4537, 5644}: 41}) {
		t.Errorf("moved %v", got)
	}
	for _, effect := range e.Effects {
		if effect.Kind == "detached" {
			detached++
		}
	}
	if staying := len(conflicts[0].Staying); staying == 0 || detached != staying {
		t.Errorf("%d people lost their accommodation, %d shared 892", detached, staying)
	}
}
