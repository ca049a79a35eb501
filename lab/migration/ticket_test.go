package migration

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/lab"
	"github.com/re-connect/rpctl/lab/labtest"
	"github.com/re-connect/rpctl/proto"
)

// ticket is the runbook's: two centres that exchange people.
const ticket = `version = 1
ticket = "https://trello.com/c/abc"
centre = "France Fraternités"
field = "migration-des-donnees"

[centres]
4537 = "France Fraternités - CHU 75"
4960 = "France Fraternités - CPH"
5634 = "France Fraternités - DAHAR"
5644 = "France Fraternités - CHU 77"
5645 = "France Fraternités - TEH"

[[groups]]
steps = [
  { origin = 4537, destination = 5644, value = "CHU 77" },
  { origin = 4537, destination = 4960, value = "CPH" },
  { origin = 4537, destination = 5634, value = "DAHAR" },
  { origin = 4537, destination = 5645, value = "TEH" },
]

[[groups]]
steps = [
  { origin = 4960, destination = 4537, value = "CHU 75" },
  { origin = 4960, destination = 5644, value = "CHU 77" },
  { origin = 4960, destination = 5634, value = "DAHAR" },
  { origin = 4960, destination = 5645, value = "TEH" },
]
`

// message is the runbook's Option A, to the character.
const message = `Centre d'origine : France Fraternités - CHU 75 (ID 4537) - 160 suivis au total
→ vers CHU 77 (ID 5644) : 41 migrés | reste 119
→ vers CPH (ID 4960) : 10 migrés | reste 150
→ vers DAHAR (ID 5634) : 19 migrés | reste 141
→ vers TEH (ID 5645) : 7 migrés | reste 153
Centre d'origine : France Fraternités - CPH (ID 4960) - 180 suivis au total
→ vers CHU 75 (ID 4537) : 21 migrés | reste 159
→ vers CHU 77 (ID 5644) : 37 migrés | reste 143
→ vers DAHAR (ID 5634) : 35 migrés | reste 145
→ vers TEH (ID 5645) : 17 migrés | reste 163
`

// moves is who goes where when the ticket is applied.
var moves = map[[2]int64]int{
	{4537, 5644}: 41, {4537, 4960}: 10, {4537, 5634}: 19, {4537, 5645}: 7,
	{4960, 4537}: 21, {4960, 5644}: 37, {4960, 5634}: 35, {4960, 5645}: 17,
}

// migrate runs a verb of migrate on the ticket's plan.
func (s *stage) migrate(t *testing.T, want int, env string, more ...string) labtest.Outcome {
	t.Helper()
	return s.Rpctl(t, want, migrateArgs(filepath.Join(s.plans, "plan.toml"), env, more...)...)
}

func migrateArgs(plan, env string, more ...string) []string {
	return slices.Concat([]string{"migrate"}, more, []string{"--plan", plan, "--env", env})
}

// approving is how claire approves.
func (s *stage) approving() []string {
	return []string{"approve", "--key", s.Approver(), "--by", "claire", "--yes"}
}

var applying = []string{"--apply", "--yes"}

func simulate(t *testing.T, s *stage) {
	s.plan(t, "plan.toml", ticket)
	out := s.migrate(t, 0, "preprod")
	if got := len(out.Last(t, "figures").Simulation.Steps); got != 8 {
		t.Fatalf("%d steps were simulated:\n%s", got, out.Describe())
	}
	if said := out.Stdout(t); strings.Count(said, "Après migration") != 8 || !strings.Contains(said, "119 (- 41 migrés)") {
		t.Errorf("the console's own tables are not shown:\n%s", said)
	}
	// With each step's turn the totals shift: what is forecast is not what the dry run shows.
	if f := out.Last(t, "figures").Simulation.Steps[4].Forecast; f.OriginBefore != 190 || f.DestinationBefore != 83 || f.DestinationAfter != 104 {
		t.Errorf("the forecast of step 2.1 is %+v", f)
	}
	slack := s.migrate(t, 0, "preprod", "report", "--format", "slack").Last(t, "report").Text
	lines := slices.DeleteFunc(strings.SplitAfter(slack, "\n"), func(line string) bool {
		return strings.TrimSpace(line) == "" || strings.HasPrefix(line, "Hébergements : ")
	})
	if got := strings.Join(lines, ""); got != message {
		t.Errorf("the message is\n%s\nwant\n%s", got, message)
	}
	if e := effectsOn(t, s.preprod); e.real() != 0 || len(e.Effects) != 0 || len(e.Runs) != 8 {
		t.Errorf("after the simulation: %d runs, %d of them real, %d effects", len(e.Runs), e.real(), len(e.Effects))
	}
}

func refusedWithoutApproval(t *testing.T, s *stage) {
	s.migrate(t, 4, "preprod", applying...).Failure(t, "refused", "gate 3 (approval) is closed", "rpctl migrate approve")
}

func approve(t *testing.T, s *stage) {
	s.migrate(t, 0, "preprod", s.approving()...)
	s.migrate(t, 0, "prod")
	s.migrate(t, 0, "prod", s.approving()...)
}

// prodWaits: approved, but never proved in preprod.
func prodWaits(t *testing.T, s *stage) {
	s.migrate(t, 4, "prod", applying...).Failure(t, "refused", "gate 4 (before) is closed")
	for _, h := range []*lab.Host{s.preprod, s.prod} {
		if e := effectsOn(t, h); e.real() != 0 || len(e.Effects) != 0 {
			t.Errorf("%s: %d real runs, %d effects, and everything was refused", h.Role, e.real(), len(e.Effects))
		}
	}
}

func applyPreprod(t *testing.T, s *stage) { s.applied(t, s.preprod) }

// applyProd: nobody approves there what they apply themselves, and nothing is applied twice.
func applyProd(t *testing.T, s *stage) {
	s.migrate(t, 0, "prod", "approve", "--yes")
	s.migrate(t, 4, "prod", applying...).Failure(t, "refused", "gate 3 (approval) is closed", "developer approved the plan and cannot apply it too")
	s.migrate(t, 0, "prod", s.approving()...)
	s.applied(t, s.prod)
	s.migrate(t, 4, "prod", applying...).Failure(t, "refused", "every step of this plan is verified already")
}

// applied applies the ticket's plan and believes the application alone.
func (s *stage) applied(t *testing.T, h *lab.Host) {
	t.Helper()
	env := string(h.Role)
	before := effectsOn(t, h).followUps()
	out := s.migrate(t, 0, env, applying...)
	e := effectsOn(t, h)
	if got := e.moved(t); !maps.Equal(got, moves) {
		t.Errorf("%s: moved %v, want %v", env, got, moves)
	}
	if e.real() != len(moves) {
		t.Errorf("%s: the command ran %d times for real", env, e.real())
	}
	for move, n := range moves {
		before[move[0]] -= int64(n)
		before[move[1]] += int64(n)
	}
	if got := e.followUps(); !maps.Equal(got, before) {
		t.Errorf("%s: the centres have %v, want %v", env, got, before)
	}
	applied := out.Last(t, "applied").Applied
	if len(applied.Steps) != 8 || applied.Revision != strings.TrimSpace(labtest.Read(t, h, lab.AppPath+"/current/REVISION")) {
		t.Errorf("%s: the receipt is %+v", env, applied)
	}
	s.receipts(t, h)
}

// receipts: stock ssh-keygen believes what lies beside the plan, under the key that the host has, and
// believes it no more after one byte was changed.
func (s *stage) receipts(t *testing.T, h *lab.Host) {
	t.Helper()
	folder := filepath.Join(s.plans, "plan.receipts")
	key := strings.Fields(labtest.On(t, h, "ssh-keygen", "-y", "-f", "/var/lib/rp-agent/receipt_key"))[1]
	signers := filepath.Join(t.TempDir(), "allowed_signers")
	if err := os.WriteFile(signers, []byte(string(h.Role)+" ssh-ed25519 "+key+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for file, namespace := range map[string]string{"-simulation.json": proto.NamespaceSimulation, "-applied.json": proto.NamespaceApplied} {
		path := filepath.Join(folder, string(h.Role)+file)
		body, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		verify := func(body, by string) error {
			cmd := exec.CommandContext(t.Context(), "ssh-keygen", "-Y", "verify", "-f", by, "-I", string(h.Role), "-n", namespace, "-s", path+".sig")
			cmd.Stdin = strings.NewReader(body)
			return cmd.Run()
		}
		for _, by := range []string{signers, s.pinned()} {
			if err := verify(string(body), by); err != nil {
				t.Errorf("%s is not verified by %s: %v", path, by, err)
			}
		}
		if verify(strings.Replace(string(body), "41", "42", 1), signers) == nil {
			t.Errorf("%s is verified with another figure", path)
		}
	}
}

// seen: status, jobs and audit tell on both sides what happened.
func seen(t *testing.T, s *stage) {
	status := s.Rpctl(t, 0, "migrate", "status", "--plan", filepath.Join(s.plans, "plan.toml"))
	standing := status.Of("gates")
	if len(standing) != 2 {
		t.Fatalf("the plan's status is of %d environments:\n%s", len(standing), status.Describe())
	}
	for _, e := range standing {
		for _, step := range e.PlanStatus.Steps {
			if step.State != proto.StepVerified {
				t.Errorf("%s: step %s is %s", e.PlanStatus.Environment, step.Step, step.State)
			}
		}
	}
	for _, h := range []*lab.Host{s.preprod, s.prod} {
		alias := "rp-" + string(h.Role)
		jobs := s.ssh(t, alias, "rp-agent", "jobs")
		if !regexp.MustCompile(`apply +succeeded +8/8 .*developer@.* https://trello.com/c/abc`).MatchString(jobs) {
			t.Errorf("%s: the jobs are\n%s", h.Role, jobs)
		}
		s.ssh(t, alias, "rp-agent", "audit", "verify")
		count := map[string]int{}
		for _, e := range s.Rpctl(t, 0, "history", "--env", string(h.Role), "-n", "100").Of("history") {
			count[e.Audit.Action]++
		}
		if count["step"] != 8 || count["step-end"] != 8 || count["approve"] == 0 || count["job"] != 2 || count["job-end"] != 2 {
			t.Errorf("%s: the audit has %v", h.Role, count)
		}
	}
}

// ssh runs a command by OpenSSH's own client, through the bastion.
func (s *stage) ssh(t *testing.T, alias string, argv ...string) string {
	t.Helper()
	out, err := s.SSH(t.Context(), alias, argv...)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return out
}
