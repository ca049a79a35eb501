// Package event is what rpctl tells while it works: the events that a view
// shows, and, one a line, the documented output of --json (docs/json.md).
package event

import (
	"time"

	"github.com/re-connect/rpctl/proto"
)

// Kind names an event in JSON.
type Kind string

// The kinds.
const (
	Begin    Kind = "begin"   // an operation begins
	Step     Kind = "step"    // a step began, ended or was skipped
	Host     Kind = "host"    // something became known of one host
	Unit     Kind = "unit"    // one unit has come further
	Verdict  Kind = "verdict" // what was proved of one unit
	Command  Kind = "command" // a local command is about to run, or would (dry run)
	Output   Kind = "output"  // a local command printed something
	Plan     Kind = "plan"    // dry run: what a host would restart
	Health   Kind = "health"  // what the application's own URL answered
	Message  Kind = "message" // a message for the team, ready to copy
	Warning  Kind = "warning" // something to know that stops nothing
	Summary  Kind = "summary" // the end of an operation
	Status   Kind = "status"  // one host's status
	Log      Kind = "log"     // one line of a host's journal
	History  Kind = "history" // one entry of a host's audit
	Check    Kind = "check"   // one assumption that doctor probed
	Setup    Kind = "setup"   // what an install would change on a host, or has changed
	Version  Kind = "version" // what this rpctl is
	ErrorEnd Kind = "error"   // the failure that the exit code stands for; always last
)

// Kinds is all of them.
var Kinds = []Kind{
	Begin, Step, Host, Unit, Verdict, Command, Output, Plan, Health, Message, Warning, Summary,
	Status, Log, History, Check, Setup, Version, ErrorEnd,
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
	Version *Build               `json:"version,omitempty"`
	Error   *Failure             `json:"error,omitempty"`
}

// Failure is an error as JSON tells it; Code and Exit are of docs/exit-codes.md.
type Failure struct {
	Code    string        `json:"code"`
	Exit    int           `json:"exit"`
	Message string        `json:"message"`
	Next    string        `json:"next,omitempty"`
	Host    string        `json:"host,omitempty"`
	Holder  *proto.Holder `json:"holder,omitempty"` // when a lease is held by another
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
