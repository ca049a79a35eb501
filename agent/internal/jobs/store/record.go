// Package store keeps jobs on the disk of the host, one folder each: that is the
// truth about a job, and what systemd says only confirms it.
//
//	jobs/ID/spec.json    what was asked, never changed
//	jobs/ID/job.json     where it is
//	jobs/ID/cancel.json  somebody asks it to stop
//	jobs/ID/runner.lock  held by the runner that works on it
package store

import (
	"strings"
	"time"

	"github.com/re-connect/rpctl/agent/internal/jobs/console"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

// The versions of the files.
const (
	specVersion   = 1
	recordVersion = 1
	cancelVersion = 1
)

// Spec is what was asked of this host, and by whom.
type Spec struct {
	Args     proto.JobStartArgs `json:"args"`
	Operator string             `json:"operator"` // as told
	User     string             `json:"user"`     // proved
	UID      uint32             `json:"uid"`
	From     string             `json:"from,omitempty"` // as told
	Created  time.Time          `json:"created"`
}

// Purpose is why a console command is run.
type Purpose string

// The purposes. Only Real changes data.
const (
	Simulate Purpose = "simulate" // a dry run for the simulation
	Check    Purpose = "check"    // the dry run before a step
	Real     Purpose = "real"
	Verify   Purpose = "verify" // the dry run after a step
	Look     Purpose = "look"   // a dry run that tells what a failed step left
)

// Run is one console run of a job. A job's streams are the output of its runs, one
// after the other: Stdout and Stderr are how many bytes each had, known once it has ended.
type Run struct {
	Console console.ID  `json:"console"`
	Step    plan.StepID `json:"step"`
	Purpose Purpose     `json:"purpose"`
	Began   time.Time   `json:"began"`
	Ended   time.Time   `json:"ended,omitzero"`
	Stdout  int64       `json:"stdout"`
	Stderr  int64       `json:"stderr"`
	// Gone says that it left no record of its end.
	Gone bool `json:"gone,omitempty"`
}

// Open says that the run has not ended, as far as the disk knows.
func (r Run) Open() bool { return r.Ended.IsZero() }

// Record is where a job is.
type Record struct {
	Job  proto.Job `json:"job"`
	Runs []Run     `json:"runs"`
	// Forecasts are what the plan's steps shall do, taken from the simulation when the job began.
	Forecasts []plan.Forecast `json:"forecasts,omitempty"`
	// Simulated is what the dry run of each step must show besides the forecast, taken from the simulation too.
	Simulated []proto.StepResult `json:"simulated,omitempty"`
	Revision  string             `json:"revision,omitempty"` // of the application when the job began
	// Approval is the one that the job was judged by when it began; a later one is of another signature.
	Approval *proto.Signed `json:"approval,omitempty"`
	// Ending is set once it is decided how the job ends; what is left is to tell, never to run.
	Ending *Ending `json:"ending,omitempty"`
}

// Ending is how a job will end.
type Ending struct {
	State proto.JobState `json:"state"`
	Error *proto.Error   `json:"error,omitempty"`
	// Said is what the command itself said, word for word as it stands in Error's message.
	Said string `json:"said,omitempty"`
	// Look is a step of which a dry run shall first tell what it left.
	Look plan.StepID `json:"look,omitempty"`
}

// Unsaid is why a job ends without what its command said, for the audit; nothing where it ends well.
func (e Ending) Unsaid() string {
	if e.Error == nil {
		return ""
	}
	return strings.ReplaceAll(string(e.Error.Message), e.Said, "")
}

// Current is the run that has not ended, or nil.
func (r *Record) Current() *Run {
	if n := len(r.Runs); n > 0 && r.Runs[n-1].Open() {
		return &r.Runs[n-1]
	}
	return nil
}

// Last is the newest run of a step with this purpose, or nil.
func (r *Record) Last(step plan.StepID, purpose Purpose) *Run {
	for i := len(r.Runs) - 1; i >= 0; i-- {
		if r.Runs[i].Step == step && r.Runs[i].Purpose == purpose {
			return &r.Runs[i]
		}
	}
	return nil
}

// Step is the job's step of that id, or nil.
func (r *Record) Step(id plan.StepID) *proto.JobStep {
	for i := range r.Job.Steps {
		if r.Job.Steps[i].Step == id {
			return &r.Job.Steps[i]
		}
	}
	return nil
}

// Cancel is somebody's wish that a job ends.
type Cancel struct {
	Now      bool      `json:"now,omitempty"`
	Operator string    `json:"operator,omitempty"` // as the controller says
	User     string    `json:"user"`               // as the host knows
	Time     time.Time `json:"time"`
}

// By is who wished it: the login alone is often everybody's.
func (c Cancel) By() string {
	if c.Operator == "" {
		return c.User
	}
	return c.Operator + " (" + c.User + ")"
}
