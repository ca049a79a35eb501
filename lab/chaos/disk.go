package chaos

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/gofrs/flock"

	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

// record is jobs/ID/job.json, read without the agent's own code.
type record struct {
	Job  proto.Job `json:"job"`
	Runs []struct {
		Console string      `json:"console"`
		Step    plan.StepID `json:"step"`
		Purpose string      `json:"purpose"`
		Began   time.Time   `json:"began"`
		Ended   time.Time   `json:"ended"`
	} `json:"runs"`
}

func readState(path string, into any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, &struct{ Content any }{into})
}

// records are all jobs, oldest first.
func (s *stage) records() ([]record, error) { return recordsIn(s.State("jobs")) }

func recordsIn(jobs string) ([]record, error) {
	names, err := filepath.Glob(filepath.Join(jobs, "*", "job.json"))
	if err != nil {
		return nil, err
	}
	var all []record
	for _, name := range names {
		var r record
		if err := readState(name, &r); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b record) int { return a.Job.Created.Compare(b.Job.Created) })
	return all, nil
}

// known is what the host's disk has of a plan.
type known struct {
	steps               map[plan.StepID]proto.StepState
	simulation, applied *proto.Signed
}

// plan finds a plan by its ticket; false where the host has never kept it.
func (s *stage) plan(ticket string) (k known, there bool, err error) {
	names, err := filepath.Glob(s.State("plans", "*", "plan.json"))
	if err != nil {
		return k, false, err
	}
	for _, name := range names {
		var p plan.Plan
		if err := readState(name, &p); err != nil {
			return k, false, err
		}
		if p.Ticket == ticket {
			k, err = knownIn(filepath.Dir(name))
			return k, true, err
		}
	}
	return k, false, nil
}

func knownIn(folder string) (k known, err error) {
	var steps struct{ Steps []proto.JobStep }
	if err := readState(filepath.Join(folder, "steps.json"), &steps); err != nil && !os.IsNotExist(err) {
		return k, err
	}
	k.steps = map[plan.StepID]proto.StepState{}
	for _, step := range steps.Steps {
		k.steps[step.Step] = step.State
	}
	for name, into := range map[string]**proto.Signed{"simulation.json": &k.simulation, "applied.json": &k.applied} {
		var signed proto.Signed
		err := readState(filepath.Join(folder, name), &signed)
		switch {
		case os.IsNotExist(err):
		case err != nil:
			return k, err
		default:
			*into = &signed
		}
	}
	return k, nil
}

// output is the bytes of a job's stream (out or err) as they lie on the host.
func (s *stage) output(r record, stream string) ([]byte, error) {
	var all bytes.Buffer
	for i, run := range r.Runs {
		name := "dryrun" + digest(r.Job.ID, strconv.Itoa(i))
		if run.Purpose == "real" {
			name = digest(r.Job.ID, "real/"+string(run.Step))
		}
		if run.Console != name {
			return nil, fmt.Errorf("run %d of job %s is called %s", i, r.Job.ID, run.Console)
		}
		data, err := os.ReadFile(filepath.Join(s.Outputs(), run.Console+"."+stream))
		if err != nil && !os.IsNotExist(err) {
			return nil, err
		}
		all.Write(data)
	}
	return all.Bytes(), nil
}

// digest is what a run of a job is called by.
func digest(job proto.JobID, what string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%s", job, what))
	return hex.EncodeToString(sum[:16])
}

// locks are the locks of the host that somebody holds.
func (s *stage) locks() []string {
	names := []string{s.State("lease"), s.State("jobs", "application.lock"), s.State("jobs", "admit.lock")}
	runners, _ := filepath.Glob(s.State("jobs", "*", "runner.lock"))
	return heldOf(append(names, runners...))
}

// heldOf are those of the locks that somebody holds.
func heldOf(names []string) (held []string) {
	for _, name := range names {
		if _, err := os.Stat(name); err != nil {
			continue
		}
		lock := flock.New(name)
		if free, err := lock.TryLock(); err != nil || !free {
			held = append(held, name)
		}
		_ = lock.Close()
	}
	return held
}
