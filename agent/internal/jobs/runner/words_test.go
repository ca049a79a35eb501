package runner_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/agent/internal/audit"
	"github.com/re-connect/rpctl/agent/internal/jobs/console"
	"github.com/re-connect/rpctl/agent/internal/jobs/jobstest"
	"github.com/re-connect/rpctl/proto"
)

// TestTheConsolesSecrets: a console that fails prints its configuration. The host keeps that output for those who
// ask for it; an error repeats what does not look like a secret of it, and the audit repeats nothing.
func TestTheConsolesSecrets(t *testing.T) {
	const said = "Exception in Driver.php: DATABASE_URL is \"mysql://app:hush@db/rp\"\nAPP_SECRET=hush ” api_key: 'hush\n"
	bad := console.End{Result: "exit-code", Code: "exited", Status: "255"}
	for name, c := range map[string]struct {
		fault jobstest.Fault
		kept  string // of the words, in the error
	}{
		"it fails":           {jobstest.Fault{End: &bad, Output: said}, "Exception in Driver.php"},
		"cut within the URL": {jobstest.Fault{End: &bad, Output: "mysql://app:hush" + strings.Repeat("hush", 60) + "@db " + strings.Repeat("x", 280)}, "xxx"},
		// As Symfony 5.4 and 6.4 print an exception.
		"a usage after why": {jobstest.Fault{End: &bad, Output: "\nIn Mover.php line 34:\n\n  MySQL server has gone away  \n\n\n" +
			"app:migrate [-o|--origin" + strings.Repeat(" ORIGIN] [-o|--origin", 30) + "]\n\n"}, "MySQL server has gone away"},
		"no tables": {jobstest.Fault{Output: said}, "Exception in Driver.php"},
		"a line that fits no table": {jobstest.Fault{Output: "+------+-----------+------------+------------+-----------------+\n" +
			"| Rôle | Centre ID | Centre Nom | Nb. suivis | Après migration |\n" +
			"+------+-----------+------------+------------+-----------------+\n" +
			"Jeanne Martin has no e-mail address\n" + strings.Repeat("-\n", 200)}, "Jeanne Martin"},
	} {
		t.Run(name, func(t *testing.T) {
			h, p := jobstest.NewHost(t), jobstest.Plan()
			h.Approve(p)
			h.Engine.Script = real(1, c.fault)
			job := h.Do(apply(p))
			if job.Error == nil || !strings.Contains(string(job.Error.Message), c.kept) {
				t.Fatalf("%s: %v", job.State, job.Error)
			}
			entries, err := audit.New(h.Parts.State).Last(99)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				if strings.Contains(e.Detail, c.kept) {
					t.Errorf("the audit repeats the console: %s", e.Detail)
				}
			}
			nowhereBut(t, h.Parts.Folders.Output, h.Parts.State, "hush")
		})
	}
}

// TestTheAuditKeepsWhatPeopleSaid: a text of theirs that reads like a console's words is not taken for them.
func TestTheAuditKeepsWhatPeopleSaid(t *testing.T) {
	const reason = "the centre waits; its output ends with: “deleted by alice” and bob"
	h, p := jobstest.NewHost(t), jobstest.Plan()
	h.Parts.Config.Console.BreakGlass = true
	h.Simulate(p)
	broken := apply(p)
	broken.BreakGlass = reason
	if job := h.Do(h.Signed(h.Alice, broken)); job.State != proto.JobSucceeded {
		t.Fatal(job.State, job.Error)
	}
	entries, err := audit.New(h.Parts.State).Last(99)
	if err != nil || !slices.ContainsFunc(entries, func(e proto.AuditEntry) bool { return strings.HasSuffix(e.Detail, reason) }) {
		t.Errorf("the audit has no %q: %+v, %v", reason, entries, err)
	}
}

// nowhereBut looks for a secret in all files below a folder.
func nowhereBut(t *testing.T, but, folder, secret string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(name string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.HasPrefix(name, but+"/") {
			return err
		}
		content, err := os.ReadFile(name)
		if strings.Contains(string(content), secret) {
			t.Errorf("%s has the secret: %s", name, content)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
