package crash

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/re-connect/rpctl/agent/internal/audit"
	"github.com/re-connect/rpctl/agent/internal/jobs/console"
	"github.com/re-connect/rpctl/agent/internal/jobs/jobstest"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

// effectsFile stands for the application's database: a line for each real command that was run.
const effectsFile = "effects"

// host is a host whose application keeps what was done to it, as a database does.
type host struct {
	*jobstest.Host
	state string
	// limit is after how many people a real command dies; 0 is never.
	limit int
}

// open is the host whose state folder this is, with the data as its commands have left it.
func open(t *testing.T, state string) *host {
	t.Helper()
	h := &host{Host: jobstest.OpenHost(t, state), state: state}
	for _, step := range h.effects() {
		h.World.Move(step)
	}
	h.Engine.Script = func(spec console.Spec) jobstest.Fault {
		if spec.DryRun {
			return jobstest.Fault{}
		}
		return jobstest.Fault{Before: func() { h.commit(spec.Step) }, Limit: h.limit}
	}
	return h
}

// commit writes that a step's people were moved, and waits for the disk.
func (h *host) commit(step plan.Step) {
	h.TB.Helper()
	line, err := json.Marshal(step)
	h.must(err)
	file, err := os.OpenFile(filepath.Join(h.state, effectsFile), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	h.must(err)
	_, err = file.Write(append(line, '\n'))
	h.must(err)
	h.must(file.Sync())
	h.must(file.Close())
}

// effects are the steps whose people were moved: a transaction that was cut off is none.
func (h *host) effects() (all []plan.Step) {
	h.TB.Helper()
	data, err := os.ReadFile(filepath.Join(h.state, effectsFile))
	h.must(err)
	for line := range strings.Lines(string(data)) {
		var step plan.Step
		if strings.HasSuffix(line, "\n") && json.Unmarshal([]byte(line), &step) == nil {
			all = append(all, step)
		}
	}
	return all
}

func (h *host) must(err error) {
	h.TB.Helper()
	if err != nil {
		h.TB.Fatal(err)
	}
}

// prepared is a new state folder, as setup leaves it.
func prepared(t *testing.T, state string) *host {
	t.Helper()
	if err := os.WriteFile(filepath.Join(state, effectsFile), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return open(t, state)
}

// counts is the three centres' totals.
func (h *host) counts() [3]int {
	return [3]int{h.World.Count(jobstest.CHU75.ID), h.World.Count(jobstest.CHU77.ID), h.World.Count(jobstest.CPH.ID)}
}

// twoSteps is a plan of two steps in two groups, and oneStep one of one.
func twoSteps() plan.Plan {
	p := jobstest.Plan()
	p.Groups[0].Steps = p.Groups[0].Steps[:1]
	return p
}

func oneStep() plan.Plan {
	p := twoSteps()
	p.Groups = p.Groups[:1]
	return p
}

// describe is where a job is, in words that are the same in each play.
func describe(h *host, id proto.JobID) string {
	h.TB.Helper()
	record, err := h.Parts.Service().Jobs.Load(id)
	if err != nil {
		return err.Error()
	}
	words := []string{string(record.Job.State)}
	for _, step := range record.Job.Steps {
		words = append(words, string(step.State))
	}
	for _, run := range record.Runs {
		words = append(words, fmt.Sprintf("%s %s open=%v", run.Step, run.Purpose, run.Open()))
	}
	if record.Ending != nil {
		words = append(words, fmt.Sprintf("ending %s look=%q", record.Ending.State, record.Ending.Look))
	}
	return strings.Join(words, ", ")
}

// sound fails where evidence does not hold: it may have a last line that was cut off, and the next entry
// notes that.
func (h *host) sound() {
	h.TB.Helper()
	log := audit.New(h.state)
	report, err := log.Verify()
	h.must(err)
	if !report.OK && !strings.Contains(string(report.Problem), "the last:") {
		h.TB.Errorf("the audit is broken: %s", report.Problem)
	}
	_, err = log.Append(proto.AuditEntry{Action: audit.ActionRecord, User: "test"})
	h.must(err)
	if report, err = log.Verify(); err != nil || !report.OK {
		h.TB.Errorf("the audit does not go on: %+v, %v", report, err)
	}
}

// agreed fails where the receipt of a plan is not that of the last job that has signed one.
func (h *host) agreed() {
	h.TB.Helper()
	all, err := h.Service.Jobs.List()
	h.must(err)
	seen := map[string]bool{}
	for _, record := range all { // the newest first
		receipt := record.Job.Receipt
		if receipt == nil || seen[record.Job.Plan+receipt.Namespace] {
			continue
		}
		seen[record.Job.Plan+receipt.Namespace] = true
		evidence, err := h.Service.Plans.Evidence(record.Job.Plan, now())
		h.must(err)
		kept := evidence.SignedApplied
		if record.Job.Kind == proto.KindSimulate {
			kept = evidence.SignedSimulation
		}
		if kept == nil || *kept != *receipt {
			h.TB.Errorf("job %s has a receipt that is not the plan's", record.Job.ID)
		}
	}
}

// tidy fails where a temporary file is left once the next runner has pruned what is no job for two days.
func (h *host) tidy() {
	h.TB.Helper()
	h.must(h.Service.Jobs.Prune(now().AddDate(0, 0, 2)))
	h.must(filepath.WalkDir(h.state, func(path string, entry os.DirEntry, err error) error {
		if err == nil && strings.HasPrefix(entry.Name(), ".") {
			h.TB.Errorf("left over: %s", path)
		}
		return err
	}))
}

// now is when tests happen.
func now() time.Time { return time.Now().UTC() }
