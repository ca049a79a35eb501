package migration

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/re-connect/rpctl/lab"
	"github.com/re-connect/rpctl/lab/labtest"
	"github.com/re-connect/rpctl/proto"
)

// database is the server's unit.
const database = "mariadb.service"

// sql asks a host's database, as root.
func sql(t *testing.T, h *lab.Host, query string) string {
	t.Helper()
	return strings.TrimSpace(labtest.On(t, h, "mariadb", "--batch", "--skip-column-names", "app", "-e", query))
}

// killDatabase is what the kernel does for want of memory: what was committed is there when it is back.
func killDatabase(t *testing.T, h *lab.Host) {
	t.Helper()
	labtest.On(t, h, "systemctl", "kill", "-s", "KILL", database)
	labtest.On(t, h, "systemctl", "restart", database)
}

// midway applies a plan up to the 12th row of its first step, of which 10 are flushed.
func (s *stage) midway(t *testing.T, name string) (plan string, watching *labtest.Running, job string) {
	t.Helper()
	plan = s.anew(t, name)
	s.approved(t, plan)
	pauseAt(t, s.preprod, 12)
	watching = s.Start(t, migrateArgs(plan, "preprod", applying...)...)
	job = watching.Job(t)
	waitUntilPaused(t, s.preprod)
	return plan, watching, job
}

// halfDone holds what the tool says of a first step that failed to what the database says.
func (s *stage) halfDone(t *testing.T, plan, job, why string, out labtest.Outcome) {
	t.Helper()
	out.Failure(t, "failed", "step 1.1 is failed", why, "--resolve 1.1=rerun")
	if said := printed(out); !strings.Contains(said, why) {
		t.Errorf("the console does not say %q:\n%s", why, said)
	}
	if step := s.onlyJob(t, job).Steps[0]; step.State != proto.StepFailed || step.Remaining == nil || *step.Remaining != 31 {
		t.Errorf("step 1.1 is %+v", step)
	}
	s.movesOf(t, 10, 0)
	s.Rpctl(t, 4, migrateArgs(plan, "preprod", applying...)...).Failure(t, "refused", "gate 8 (unresolved) is closed: step 1.1 is failed")
}

// finishing is the operator's word on a first step that is half done.
func finishing(plan string) []string {
	return migrateArgs(plan, "preprod", append([]string{"--resolve", "1.1=rerun", "--reason", "the database is back"}, applying...)...)
}

// printed is what a console said on both streams.
func printed(out labtest.Outcome) string {
	var all strings.Builder
	for _, e := range out.Of("console") {
		all.Write(e.Data)
	}
	return all.String()
}

// noDatabase: a simulation that finds none shows what PHP said, and leaves no receipt.
func noDatabase(t *testing.T, s *stage) {
	console(t, s.preprod, "app:seed-migration")
	labtest.On(t, s.preprod, "systemctl", "stop", database)
	plan := s.plan(t, "nodatabase.toml", strings.Replace(trouble, "c/trouble", "c/nodatabase", 1))
	out := s.Rpctl(t, 1, migrateArgs(plan, "preprod")...)
	out.Failure(t, "failed", "step 1.1")
	if said := printed(out); !strings.Contains(said, "SQLSTATE[HY000] [2002]") {
		t.Errorf("the console said\n%s", said)
	}
	s.Rpctl(t, 4, migrateArgs(plan, "preprod", applying...)...).Failure(t, "refused", "gate 1 (simulation) is closed")
	if standing := s.Rpctl(t, 0, "migrate", "status", "--plan", plan, "--env", "preprod").Last(t, "gates").PlanStatus; standing.Simulation != nil {
		t.Errorf("the host has the receipt %s", standing.Simulation.Body)
	}
	if left, err := filepath.Glob(filepath.Join(s.plans, "nodatabase.receipts", "*")); err != nil || len(left) > 0 {
		t.Errorf("beside the plan are %v, %v", left, err)
	}
	labtest.On(t, s.preprod, "systemctl", "start", database)
}

// databaseDies, of an application that reaches it by TCP: the sandbox lets it, and what was flushed stays.
func databaseDies(t *testing.T, s *stage) {
	settings := labtest.Read(t, s.preprod, lab.EnvLocal)
	labtest.Put(t, s.preprod, lab.EnvLocal, fmt.Sprintf("DATABASE_URL=\"mysql://app@%s:3306/app\"\n", s.preprod.Role))
	sql(t, s.preprod, "CREATE USER app@'127.%'; GRANT ALL ON app.* TO app@'127.%'")
	plan, watching, job := s.midway(t, "dies")
	if from := sql(t, s.preprod, "SELECT host FROM information_schema.processlist WHERE user = 'app'"); !strings.HasPrefix(from, "127.") {
		t.Errorf("the application's connection comes from %q", from)
	}
	killDatabase(t, s.preprod)
	goOn(t, s.preprod)
	s.halfDone(t, plan, job, "MySQL server has gone away", watching.Ends(t, 1))
	s.Rpctl(t, 0, finishing(plan)...)
	s.movesOf(t, 41, 10)
	labtest.Put(t, s.preprod, lab.EnvLocal, settings)
	sql(t, s.preprod, "DROP USER app@'127.%'")
}

// databaseStays away: what remains of the step cannot be known, and nobody says that it is.
func databaseStaysAway(t *testing.T, s *stage) {
	plan, watching, job := s.midway(t, "away")
	labtest.On(t, s.preprod, "systemctl", "stop", database)
	goOn(t, s.preprod)
	watching.Ends(t, 1).Failure(t, "failed", "step 1.1 is failed", "gone away", "--resolve 1.1=rerun")
	if step := s.onlyJob(t, job).Steps[0]; step.State != proto.StepFailed || step.Remaining != nil {
		t.Errorf("step 1.1 is %+v", step)
	}
	s.Rpctl(t, 1, finishing(plan)...).Failure(t, "failed", "step 1.1")
	labtest.On(t, s.preprod, "systemctl", "start", database)
	s.movesOf(t, 10, 0)
	s.Rpctl(t, 0, finishing(plan)...)
	s.movesOf(t, 41, 10)
}

// rowsHeld: somebody else has locked the people. A step that waits for them too long fails, and one that
// gets them in time goes on.
func rowsHeld(t *testing.T, s *stage) {
	sql(t, s.preprod, "SET GLOBAL innodb_lock_wait_timeout = 1")
	plan, watching, job := s.midway(t, "held")
	release := s.hold(t, "SELECT COUNT(*) FROM individual FOR UPDATE")
	goOn(t, s.preprod)
	s.halfDone(t, plan, job, "Lock wait timeout exceeded", watching.Ends(t, 1))

	sql(t, s.preprod, "SET GLOBAL innodb_lock_wait_timeout = 50")
	again := s.Start(t, finishing(plan)...)
	labtest.Eventually(t, 5*time.Minute, func() error {
		// Not information_schema.innodb_trx: it stays as it was for whoever asks again within 100 ms.
		if !strings.Contains(sql(t, s.preprod, "SHOW ENGINE INNODB STATUS"), "LOCK WAIT") {
			return errors.New("the step does not wait for the rows")
		}
		return nil
	})
	s.movesOf(t, 10, 0)
	release()
	again.Ends(t, 0)
	s.movesOf(t, 41, 10)
}

// hold has a query in a transaction of its own that is not ended before release.
func (s *stage) hold(t *testing.T, query string) (release func()) {
	t.Helper()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		// It ends by the KILL, or with the test's own time.
		_, _ = s.preprod.Run(t.Context(), "mariadb", "app", "-e", "START TRANSACTION; "+query+"; DO SLEEP(600)")
	}()
	var id string
	labtest.Eventually(t, 3*time.Minute, func() error {
		if id = sql(t, s.preprod, "SELECT id FROM information_schema.processlist WHERE info = 'DO SLEEP(600)'"); id == "" {
			return errors.New("nobody holds the rows")
		}
		return nil
	})
	return func() {
		sql(t, s.preprod, "KILL "+id)
		<-ended
	}
}

// alike is a plan whose two values differ by case alone.
const alike = `version = 1
ticket = "https://trello.com/c/alike"
centre = "France Fraternités"
field = "migration-des-donnees"

[centres]
4537 = "France Fraternités - CHU 75"
4960 = "France Fraternités - CPH"
5644 = "France Fraternités - CHU 77"

[[groups]]
steps = [
  { origin = 4537, destination = 5644, value = "CHU 77" },
  { origin = 4537, destination = 4960, value = "chu 77" },
]
`

// caseless: a database that does not tell such values apart finds the same people for both steps. `plan check`
// warns of it, and the host stops before it moves anybody to a second place.
func caseless(t *testing.T, s *stage) {
	console(t, s.preprod, "app:seed-migration")
	plan := s.plan(t, "alike.toml", alike)
	if said := s.Rpctl(t, 0, "plan", "check", plan); !strings.Contains(said.Describe(), "both steps choose the same people") {
		t.Errorf("plan check does not warn:\n%s", said.Describe())
	}
	second := func() int64 {
		return s.Rpctl(t, 0, migrateArgs(plan, "preprod")...).Last(t, "figures").Simulation.Steps[1].Result.Moved
	}
	if n := second(); n != 0 {
		t.Errorf("by an exact collation, the second step would move %d people", n)
	}
	const change = "ALTER TABLE custom_value MODIFY value TEXT CHARACTER SET utf8mb4 COLLATE %s NOT NULL"
	sql(t, s.preprod, fmt.Sprintf(change, "utf8mb4_unicode_ci")) // what Doctrine makes where nobody says otherwise
	if n := second(); n != 41 {
		t.Errorf("without case, the second step would move %d people", n)
	}
	s.approved(t, plan)
	s.Rpctl(t, 4, migrateArgs(plan, "preprod", applying...)...).
		Failure(t, "refused", "step 1.2 was not begun: gate 5 (drift) is closed: 0 people would move, the forecast says 41")
	s.movesOf(t, 41, 0)
	sql(t, s.preprod, fmt.Sprintf(change, "utf8mb4_nopad_bin"))
}
