package migration

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/re-connect/rpctl/lab"
	"github.com/re-connect/rpctl/lab/labtest"
)

// stage is a lab with everything that the chapters share.
type stage struct {
	*lab.Lab
	labtest.Developer
	plans         string // the operator's folder of plans
	preprod, prod *lab.Host
}

var chapters = labtest.Chapters[*stage]{
	{"install", install},
	{"preprod's login lies", lyingLogin},
	{"simulate", simulate},
	{"refused without approval", refusedWithoutApproval},
	{"approve", approve},
	{"prod waits for preprod", prodWaits},
	{"preprod", applyPreprod},
	{"prod", applyProd},
	{"what remains to be seen", seen},
	{"the audit is written anew", auditRewritten},
	{"a plan begins and its viewer is killed", viewerKilled},
	{"inside the sandbox", sandbox},
	{"nobody else meanwhile", nobodyElse},
	{"the runner is killed", runnerKilled},
	{"cancelled before the next step", cancelled},
	{"the console is killed", consoleKilled},
	{"the power is cut", powerCut},
	{"the last word", lastWord},
	{"a shared accommodation", sharedAccommodation},
	{"the data change on the way", drifted},
	{"cancelled at once", cutNow},
	{"no database to simulate on", noDatabase},
	{"the database dies in a step", databaseDies},
	{"the database stays away", databaseStaysAway},
	{"somebody holds the rows", rowsHeld},
	{"a database that knows no case", caseless},
	{"approved with ssh-keygen elsewhere", signedElsewhere},
	{"approved in another's name", forSomebody},
	{"the glass holds", glassHolds},
	{"faults at random", faults},
	{"the glass is broken", glassBreaks},
}

func TestMigration(t *testing.T) {
	labtest.Need(t)
	bin := labtest.Build(t, labtest.Rpctl, labtest.RpAgent)
	labtest.EachSuite(t, func(t *testing.T, suite lab.Suite) {
		l := labtest.Up(t, lab.Options{Slot: lab.SlotMigration, Suite: suite, Database: lab.MariaDB})
		s := &stage{
			Lab: l, Developer: labtest.NewDeveloper(l, bin), plans: t.TempDir(),
			preprod: l.Host(lab.Preprod), prod: l.Host(lab.Prod),
		}
		s.Limit = 10 * time.Minute // no rpctl of these chapters takes long: one that hangs is shown with what it has said
		chapters.Play(t, s)
	})
}

// plan writes a plan into the operator's folder and returns its path.
func (s *stage) plan(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(s.plans, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
