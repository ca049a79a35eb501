// Package event is what rpctl tells while it works: the events that a view
// shows, and, one a line, the documented output of --json (docs/json.md).
package event

import (
	"time"

	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

// Kind names an event in JSON.
type Kind string

// The kinds.
const (
	Begin    Kind = "begin"    // an operation begins
	Step     Kind = "step"     // a step began, ended or was skipped
	Host     Kind = "host"     // something became known of one host
	Unit     Kind = "unit"     // one unit has come further
	Verdict  Kind = "verdict"  // what was proved of one unit
	Command  Kind = "command"  // a local command is about to run, or would (dry run)
	Output   Kind = "output"   // a local command printed something
	Plan     Kind = "plan"     // dry run: what a host would restart
	Health   Kind = "health"   // what the application's own URL answered
	Message  Kind = "message"  // a message for the team, ready to copy
	Warning  Kind = "warning"  // something to know that stops nothing
	Summary  Kind = "summary"  // the end of an operation
	Status   Kind = "status"   // one host's status
	Log      Kind = "log"      // one line of a host's journal
	History  Kind = "history"  // one entry of a host's audit
	Check    Kind = "check"    // one assumption that doctor probed
	Setup    Kind = "setup"    // what an install would change on a host, or has changed
	Pin      Kind = "pin"      // which receipt key would be pinned, or was
	Version  Kind = "version"  // what this rpctl is
	Checked  Kind = "checked"  // a plan was read and found good
	Job      Kind = "job"      // what a host knows of a job: at its start, its end, in a list
	JobStep  Kind = "job_step" // a step of a job's plan has come further
	Console  Kind = "console"  // bytes that a job's console printed
	Figures  Kind = "figures"  // what a simulation found
	Applied  Kind = "applied"  // what the steps of a plan did
	Gates    Kind = "gates"    // where a plan stands on a host, gate by gate
	Stored   Kind = "stored"   // a file was written
	Reported Kind = "report"   // a report is ready to copy
	ErrorEnd Kind = "error"    // the failure that the exit code stands for; always last
)

// Kinds is all of them.
var Kinds = []Kind{
	Begin, Step, Host, Unit, Verdict, Command, Output, Plan, Health, Message, Warning, Summary,
	Status, Log, History, Check, Setup, Pin, Version,
	Checked, Job, JobStep, Console, Figures, Applied, Gates, Stored, Reported, ErrorEnd,
}

// State is how far a step or a host is.
type State string

// The states.
const (
	Began   State = "began"
	Ended   State = "ended"
	Skipped State = "skipped"

	Connected State = "connected"
	Leased    State = "leased"
	Busy      State = "busy" // its turn has come
	Done      State = "done"
	Lost      State = "lost"
	Bad       State = "failed"
)

// Event is one event. Which fields are set depends on Kind; docs/json.md has the table.
type Event struct {
	Kind        Kind      `json:"event"`
	Time        time.Time `json:"time,omitzero"`
	Operation   string    `json:"operation,omitempty"` // deploy, rollback, restart, …
	Environment string    `json:"environment,omitempty"`
	Operator    string    `json:"operator,omitempty"`
	DryRun      bool      `json:"dry_run,omitempty"`
	Hosts       []string  `json:"hosts,omitempty"`
	Steps       []string  `json:"steps,omitempty"`

	Step       string `json:"step,omitempty"`
	State      State  `json:"state,omitempty"`
	Result     string `json:"result,omitempty"` // of a step: ok, or the name of an exit code
	DurationMS int64  `json:"duration_ms,omitempty"`
	Host       string `json:"host,omitempty"`

	Unit    *proto.UnitProgress  `json:"unit,omitempty"`
	Verdict *proto.UnitVerdict   `json:"verdict,omitempty"`
	Argv    []string             `json:"argv,omitempty"`
	Stream  string               `json:"stream,omitempty"` // stdout or stderr
	Text    string               `json:"text,omitempty"`
	Plan    []proto.PatternUnits `json:"plan,omitempty"`
	Release *proto.Release       `json:"release,omitempty"`
	Summary *Report              `json:"summary,omitempty"`
	Status  *proto.Status        `json:"status,omitempty"`
	Log     *proto.LogLine       `json:"log,omitempty"`
	Audit   *proto.AuditEntry    `json:"audit,omitempty"`
	Check   *proto.Check         `json:"check,omitempty"`
	Setup   *proto.SetupReport   `json:"setup,omitempty"`
	Pin     *Pinned              `json:"pin,omitempty"`
	Version *Build               `json:"version,omitempty"`
	Error   *Failure             `json:"error,omitempty"`

	// Of plans and jobs.
	Path       string            `json:"path,omitempty"`   // a file on this machine
	Digest     string            `json:"digest,omitempty"` // of the plan
	Commands   []string          `json:"commands,omitempty"`
	Job        *proto.Job        `json:"job,omitempty"`
	JobStep    *proto.JobStep    `json:"job_step,omitempty"`
	Offset     *int64            `json:"offset,omitempty"` // of Data in its stream
	Data       []byte            `json:"data,omitempty"`   // base64 in JSON: the bytes may be no text
	Simulation *proto.Simulation `json:"simulation,omitempty"`
	Figures    string            `json:"figures,omitempty"` // digest of the figures, which an approval names
	Applied    *proto.Applied    `json:"applied,omitempty"`
	PlanStatus *proto.PlanStatus `json:"plan_status,omitempty"`
	Next       string            `json:"next,omitempty"` // what to type next
	// HostSuggests is what a host would have typed next, where rpctl does not know it as an advice.
	HostSuggests proto.HostText `json:"host_suggests,omitempty"`
	Migration    *plan.Plan     `json:"migration,omitempty"` // the plan that Simulation is of
}

// Pinned is the receipt key of an environment's console host, beside the one that is pinned in Path.
type Pinned struct {
	Path       string `json:"path"`
	Name       string `json:"name"` // of the host, as its receipts have it
	Key        string `json:"key"`  // fingerprint
	BeforeName string `json:"before_name,omitempty"`
	Before     string `json:"before,omitempty"` // fingerprint of the key that is pinned; empty for none
	Changes    bool   `json:"changes"`          // another name or key than the pinned one
	Written    bool   `json:"written"`
}

// Failure is an error as JSON tells it; Code and Exit are of docs/exit-codes.md.
type Failure struct {
	Code         string         `json:"code"`
	Exit         int            `json:"exit"`
	Message      string         `json:"message"`
	Next         string         `json:"next,omitempty"`
	HostSuggests proto.HostText `json:"host_suggests,omitempty"` // as in Event
	Host         string         `json:"host,omitempty"`
	Holder       *proto.Holder  `json:"holder,omitempty"` // when a lease is held by another
}

// Build is what this rpctl is.
type Build struct {
	Rpctl    string     `json:"rpctl"`
	Go       string     `json:"go"`
	Platform string     `json:"platform"`
	Protocol proto.Span `json:"protocol"`
}

// Report is how an operation went.
type Report struct {
	Operation   string       `json:"operation"`
	Environment string       `json:"environment"`
	Operator    string       `json:"operator"`
	Result      string       `json:"result"` // name of the exit code
	Exit        int          `json:"exit"`
	DurationMS  int64        `json:"duration_ms"`
	Revision    string       `json:"revision,omitempty"` // of the local work tree that was deployed
	Steps       []StepReport `json:"steps"`
	Hosts       []HostReport `json:"hosts"`
	// Next is the command that finishes or repairs; empty when nothing is left to do.
	Next string `json:"next,omitempty"`
}

// StepReport is how one step went.
type StepReport struct {
	Step       string `json:"step"`
	Result     string `json:"result"` // ok, skipped, not begun, or the name of an exit code
	DurationMS int64  `json:"duration_ms"`
}

// HostReport is how one host was left.
type HostReport struct {
	Host string `json:"host"`
	// Code is what its workers run: new code, old code, unchanged, unknown.
	Code     string   `json:"code"`
	Before   string   `json:"release_before,omitempty"`
	After    string   `json:"release_after,omitempty"`
	Units    int      `json:"units"`              // expected instances
	Good     int      `json:"good"`               // of them, well
	Problems []string `json:"problems,omitempty"` // in words, one a unit or a failure
}
