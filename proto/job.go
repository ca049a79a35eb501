package proto

import (
	"slices"
	"time"

	"github.com/re-connect/rpctl/proto/plan"
)

// Operations on jobs and plans.
const (
	OpJobStart   Op = "job-start"
	OpJobFollow  Op = "job-follow"
	OpJobCancel  Op = "job-cancel"
	OpJobs       Op = "jobs"
	OpPlanStatus Op = "plan-status"
	OpApprove    Op = "approve"
)

// Events of a followed job. An output event is followed by exactly its Length
// raw bytes and a newline that is not part of them.
const (
	EventJob    EventKind = "job"
	EventOutput EventKind = "output"
)

// JobID names a job; the controller makes it up, so that asking twice cannot start twice.
type JobID string

// Valid says whether the id may be a folder's and a unit's name, as the polkit rule and the
// unit files have it: 8 to 64 lower-case letters and digits.
func (id JobID) Valid() bool { return len(id) >= 8 && word(string(id), isLowerAlnum, "", 64) }

// Heard is called by rpctl when it has decoded the id: a host's id that is none becomes empty, so that it
// cannot become a word of a command.
func (id *JobID) Heard() {
	if !id.Valid() {
		*id = ""
	}
}

// JobKind is what a job does with a plan.
type JobKind string

// The kinds.
const (
	KindSimulate JobKind = "simulate" // dry runs only; never changes data
	KindApply    JobKind = "apply"
)

// JobState is where a job is. Only accepted and running can change.
type JobState string

// The states. Interrupted: there is neither an exit record nor a unit, so the
// host rebooted or something was killed; it is never run again by itself.
const (
	JobAccepted    JobState = "accepted"
	JobRunning     JobState = "running"
	JobSucceeded   JobState = "succeeded"
	JobFailed      JobState = "failed"
	JobCancelled   JobState = "cancelled"
	JobInterrupted JobState = "interrupted"
)

// Ended says that the state is final.
func (s JobState) Ended() bool { return s != JobAccepted && s != JobRunning }

// JobStartArgs asks for a job. A second start with the same id and the same content attaches to the first.
type JobStartArgs struct {
	ID   JobID     `json:"id"`
	Kind JobKind   `json:"kind"`
	Plan plan.Plan `json:"plan"`
	// Receipts are those of other hosts that a gate asks for (prod: preprod's "applied").
	Receipts []Signed     `json:"receipts,omitempty"`
	Resolve  []Resolution `json:"resolve,omitempty"`
	// Intent is the operator's signature under all of this, which the host asks for unless self-approval is
	// allowed, and always with BreakGlass.
	Intent *Signed `json:"intent,omitempty"`
	// BreakGlass is the reason for passing a closed gate, where the host's file allows that at all.
	BreakGlass string `json:"break_glass,omitempty"`
}

// Resolution is the operator's word on a step that failed or was interrupted.
type Resolution struct {
	Step   plan.StepID `json:"step"`
	As     string      `json:"as"` // rerun or done
	Reason string      `json:"reason"`
}

// The values of Resolution.As.
const (
	ResolveRerun = "rerun"
	ResolveDone  = "done"
)

// Job is a job as the host's disk knows it.
type Job struct {
	ID          JobID     `json:"id"`
	Kind        JobKind   `json:"kind"`
	State       JobState  `json:"state"`
	Plan        string    `json:"plan"` // digest
	Ticket      HostText  `json:"ticket,omitempty"`
	Operator    HostText  `json:"operator"` // as told
	User        HostText  `json:"user"`     // proved
	Created     time.Time `json:"created"`
	Ended       time.Time `json:"ended,omitzero"`
	Steps       []JobStep `json:"steps"`
	Error       *Error    `json:"error,omitempty"` // why it failed or stopped
	CancelAsked bool      `json:"cancel_asked,omitempty"`
	CancelNow   bool      `json:"cancel_now,omitempty"` // it was asked to stop at once; agents before it had a name leave it out
	Receipt     *Signed   `json:"receipt,omitempty"`    // what it proved, once succeeded
	BreakGlass  HostText  `json:"break_glass,omitempty"`
	// Stdout and Stderr are how many bytes of output there are.
	Stdout int64 `json:"stdout"`
	Stderr int64 `json:"stderr"`
}

// Done is how many steps have come where this kind of job brings them, or further. A run begins with
// every step simulated: that is no step done.
func (j Job) Done() int {
	end := StepVerified
	if j.Kind == KindSimulate {
		end = StepSimulated
	}
	done := 0
	for _, step := range j.Steps {
		if step.State == end || step.State == StepVerified {
			done++
		}
	}
	return done
}

// WithoutConflicts is the job without the conflicts of its steps, which are long. j keeps its own.
func (j Job) WithoutConflicts() Job {
	j.Steps = slices.Clone(j.Steps)
	for i := range j.Steps {
		if result := j.Steps[i].Result; result != nil {
			short := *result
			short.Conflicts = nil
			j.Steps[i].Result = &short
		}
	}
	return j
}

// StepState is where a step of a plan is. It belongs to the plan on a host, not to one job.
type StepState string

// The states. Unverified: the real run ended well, but the dry run after it did not show what was expected.
const (
	StepPending     StepState = "pending"
	StepSimulated   StepState = "simulated"
	StepChecking    StepState = "checking"  // the dry run before
	StepRunning     StepState = "running"   // the real run
	StepVerifying   StepState = "verifying" // the dry run after
	StepVerified    StepState = "verified"
	StepStopped     StepState = "stopped" // the dry run before did not show the forecast: nothing was run
	StepFailed      StepState = "failed"
	StepUnverified  StepState = "unverified"
	StepInterrupted StepState = "interrupted"
)

// JobStep is a step with what is known of it. Offsets are where its output begins in the job's streams.
type JobStep struct {
	Step  plan.StepID `json:"step"`
	State StepState   `json:"state"`
	Began time.Time   `json:"began,omitzero"`
	Ended time.Time   `json:"ended,omitzero"`
	// Result is what the last dry run of the step showed.
	Result *StepResult `json:"result,omitempty"`
	// Remaining is what a dry run after a real one showed still to move.
	Remaining *int64   `json:"remaining,omitempty"`
	Detail    HostText `json:"detail,omitempty"`
	// Gate is the number in docs/gates.md of the gate that stopped the step, which Detail speaks of; agents
	// before it had a name say it in Detail alone.
	Gate int `json:"gate,omitempty"`
	// First is how many people the first real run of the step was approved to move, a later one the rest.
	First *int64 `json:"first,omitempty"`
	// Resolved is the operator's word that the step went on by: ResolveRerun or ResolveDone.
	Resolved string `json:"resolved,omitempty"`
}

// StepResult is what one run of the console's command printed.
type StepResult struct {
	plan.Figures
	// Accommodations is how many would move; nil without --withAccommodations.
	Accommodations *int64     `json:"accommodations,omitempty"`
	Conflicts      []Conflict `json:"conflicts,omitempty"`
}

// Conflict is an accommodation shared by people who are moved and people who stay.
type Conflict struct {
	Centre        int64   `json:"centre"`
	Accommodation int64   `json:"accommodation"`
	Staying       []int64 `json:"staying"`
	Moving        []int64 `json:"moving"`
}

// JobFollowArgs asks for a job's events and for its output from the given offsets on, until it
// ends. With Wait false the answer ends with what there is now.
type JobFollowArgs struct {
	ID     JobID `json:"id"`
	Stdout int64 `json:"stdout"`
	Stderr int64 `json:"stderr"`
	Wait   bool  `json:"wait,omitempty"`
}

// Output announces raw bytes: Stream is stdout or stderr, Offset where they
// stand in the job's whole stream.
type Output struct {
	Stream string `json:"stream"`
	Offset int64  `json:"offset"`
	Length int    `json:"length"`
	// Raw is the bytes that follow the line, where they were read; no part of the line itself.
	Raw []byte `json:"-"`
}

// The streams of a job.
const (
	Stdout = "stdout"
	Stderr = "stderr"
)

// MaxOutput is the most raw bytes that one output event announces.
const MaxOutput = 256 << 10

// JobCancelArgs asks a job to stop before its next step, or with Now at once.
type JobCancelArgs struct {
	ID  JobID `json:"id"`
	Now bool  `json:"now,omitempty"`
}

// MaxJobs is how many jobs one question may ask for.
const MaxJobs = 200

// JobsArgs asks for the newest Limit jobs, MaxJobs at most (0 means 20), or for the one named.
type JobsArgs struct {
	ID    JobID `json:"id,omitempty"`
	Limit int   `json:"limit,omitempty"`
}

// JobList is jobs, newest first.
type JobList struct {
	Jobs []Job `json:"jobs"`
}
