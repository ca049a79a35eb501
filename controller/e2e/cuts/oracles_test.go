package cuts_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/re-connect/rpctl/lab/sshhost"
	"github.com/re-connect/rpctl/lab/wire"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

const (
	// endsWithin is how long rpctl may take on a machine that has other work: it hears of a cut at once.
	endsWithin = 5 * time.Minute
	// freeWithin is how long the host may take to give back what a cut connection held.
	freeWithin = 30 * time.Second
	// goneWithin is how long goroutines may take to end: less than the 15 s after which a keepalive, forgotten
	// or not, sees that its connection is gone.
	goneWithin = 10 * time.Second
)

// ofGo is what only Go's libraries say, and no person.
var ofGo = regexp.MustCompile(`EOF|\b(read|write) tcp|<nil>|closed network|broken pipe|goroutine |panic`)

// judge is the oracle of every command: it has ended in time, with a code of docs/exit-codes.md and words
// that name the host; nobody is logged in any more, and nobody holds the host.
func (s *sweeper) judge(a attempt, codes []int) {
	s.t.Helper()
	s.endings[a.ending(s.host.Alias)]++
	switch {
	case a.code == stuck:
		s.failed("rpctl did not end within %s", endsWithin)
	case a.code == panicked:
		s.failed("rpctl: %s", a.said)
	case !slices.Contains(codes, a.code):
		s.failed("rpctl ended with %d, want one of %v: %s", a.code, codes, a.said)
	case a.code != 0 && !a.struck && s.care == (care{}): // who cares more loses patience on a machine that is busy
		s.failed("rpctl ended with %d over a line that was not cut: %s", a.code, a.said)
	case ofGo.MatchString(a.said):
		s.failed("rpctl ended with %d and says what only Go's libraries say: %s", a.code, a.said)
	case a.code != 0 && !strings.Contains(a.said, s.host.Alias):
		s.failed("rpctl ended with %d and names no host: %s", a.code, a.said)
	}
	s.atRest()
}

// atRest waits until the host has noticed that rpctl has gone, and wants it to be free then.
func (s *sweeper) atRest() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), freeWithin)
	defer cancel()
	if err := s.free(ctx); err != nil { // by itself: over a half-open line nobody tells it
		s.failed("%v", err)
	}
	if s.care != (care{}) {
		s.proxy().End(wire.Reset) // what is half-open, as sshd's ClientAlive does in the end; any other line both sides have closed
	}
	if err := s.host.Idle(ctx); err != nil {
		s.failed("the host is not at rest %s after rpctl has gone: %v", freeWithin, err)
	}
}

// free waits until nobody holds the host.
func (s *sweeper) free(ctx context.Context) error {
	lease := filepath.Join(s.host.Agent.State, "lease")
	if _, err := os.Stat(lease); os.IsNotExist(err) {
		return nil // nobody ever has
	}
	lock, taken := flock.New(lease), make(chan error, 1)
	go func() { taken <- lock.Lock() }()
	select {
	case err := <-taken:
		_ = lock.Close()
		return err
	case <-ctx.Done():
		return fmt.Errorf("the host is held %s after rpctl has gone", freeWithin)
	}
}

// restarted: every worker at most once, exactly once where rpctl says so, and the host is well.
func (s *sweeper) restarted(a attempt, codes []int) {
	s.t.Helper()
	s.judge(a, codes)
	counted := s.counted()
	for what, times := range counted {
		if times != 1 {
			s.failed("%s: %d times", what, times)
		}
	}
	if a.code == 0 && len(counted) != workers {
		s.failed("rpctl says that all is well, and the host did %v", counted)
	}
	var out strings.Builder
	login := sshhost.Request{Command: "rp-agent status", User: "app"}
	if status := s.host.Login(s.t.Context(), login, strings.NewReader(""), &out, &out); status != 0 {
		s.failed("afterwards `rp-agent status` ends with %d: %s", status, out.String())
	}
}

// record is jobs/ID/job.json, read without the agent's own code.
type record struct {
	Job  proto.Job `json:"job"`
	Runs []struct {
		Step    plan.StepID `json:"step"`
		Purpose string      `json:"purpose"`
	} `json:"runs"`
}

// simulated: one job or none, which has come to its end and has run each of its commands once; and where
// rpctl says that all is well, it is.
func (s *sweeper) simulated(a attempt, codes []int) {
	s.t.Helper()
	s.judge(a, codes)
	jobs := s.newJobs()
	if len(jobs) > 1 {
		s.failed("%d jobs were started", len(jobs))
	}
	if a.code == 0 && (len(jobs) != 1 || jobs[0].Job.State != proto.JobSucceeded) {
		s.failed("rpctl says that all is well, and the host: %+v", jobs)
	}
	for _, r := range jobs {
		if r.Job.State != proto.JobSucceeded {
			s.failed("the line was cut, and job %s is %s: %+v", r.Job.ID, r.Job.State, r.Job.Error)
		}
		ran := map[string]bool{}
		for _, run := range r.Runs {
			what := string(run.Step) + " " + run.Purpose
			if ran[what] {
				s.failed("job %s ran %s twice", r.Job.ID, what)
			}
			ran[what] = true
		}
	}
}

// newJobs are the host's since it was last asked. They are taken away: a host that has seen thousands would
// be another host.
func (s *sweeper) newJobs() (all []record) {
	folders, err := filepath.Glob(filepath.Join(s.host.Agent.State, "jobs", "*", "job.json"))
	if err != nil {
		s.failed("%v", err)
	}
	for _, file := range folders {
		var r record
		text, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(text, &struct{ Content any }{&r})
		}
		if err == nil {
			err = os.RemoveAll(filepath.Dir(file))
		}
		if err != nil {
			s.failed("%v", err)
		}
		all = append(all, r)
	}
	return all
}
