package proto

import "time"

// Release is what `current` names. The layout is Deployer's: releases/N and a link current.
type Release struct {
	Name     string `json:"name"`               // N of releases/N
	Path     string `json:"path"`               // where current leads, absolute
	Revision string `json:"revision,omitempty"` // where the release tells it (a REVISION file)
	// Switched is when the link current came to lead here: what started later, through current, runs this release.
	Switched time.Time `json:"switched,omitzero"`
}

// Status is what runs on a host, from which release, and what happened.
type Status struct {
	Host        string         `json:"host"`
	Environment string         `json:"environment"`
	Agent       string         `json:"agent"`
	Time        time.Time      `json:"time"`
	Release     *Release       `json:"release,omitempty"` // nil when ReleaseError says why
	ReleaseErr  HostText       `json:"release_error,omitempty"`
	Workers     []WorkerStatus `json:"workers"`
	Lease       *Holder        `json:"lease,omitempty"`
	LastDeploy  *DeployRecord  `json:"last_deploy,omitempty"`
	// Jobs are those that have not ended; Plans the newest that are not applied.
	Jobs  []Job       `json:"jobs,omitempty"`
	Plans []PlanState `json:"plans,omitempty"`
	// Problems says, in words and worst first, why the host is not healthy; empty when it is.
	Problems []HostText `json:"problems,omitempty"`
}

// Healthy says that nothing is wrong.
func (s Status) Healthy() bool { return len(s.Problems) == 0 }

// WorkerStatus is one expected instance as it is now. Memory is bytes.
type WorkerStatus struct {
	Unit     string    `json:"unit"`
	Pattern  string    `json:"pattern"`
	Active   string    `json:"active"` // systemd's ActiveState
	Sub      string    `json:"sub"`    // systemd's SubState
	Since    time.Time `json:"since,omitzero"`
	PID      uint32    `json:"pid,omitempty"`
	Restarts uint32    `json:"restarts"`
	Memory   uint64    `json:"memory,omitempty"`
	// Code is "current", "old" or "unknown"; Why explains the latter two.
	Code    string    `json:"code"`
	Why     HostText  `json:"why,omitempty"`
	Journal []LogLine `json:"journal,omitempty"` // last lines of what failed
}

// The values of WorkerStatus.Code.
const (
	CodeCurrent = "current"
	CodeOld     = "old"
	CodeUnknown = "unknown"
)

// DeployRecord is a deploy or rollback as the audit knows it.
type DeployRecord struct {
	Kind     string    `json:"kind"` // deploy, rollback, restart
	Operator HostText  `json:"operator"`
	User     HostText  `json:"user"`
	Began    time.Time `json:"began"`
	Ended    time.Time `json:"ended,omitzero"`
	Result   string    `json:"result"` // succeeded, failed, running, unknown
	Release  string    `json:"release,omitempty"`
	Revision string    `json:"revision,omitempty"`
	Detail   HostText  `json:"detail,omitempty"`
}

// ResultUnknown is the result of a deploy whose lease ended before its result was told: its
// controller was killed, or the connection was lost.
const ResultUnknown = "unknown"

// MaxLogLines is how many past lines one question may ask for.
const MaxLogLines = 10_000

// MaxLogMessage is the longest message of a line that crosses, in bytes; a longer one is cut and marked. An
// event stays on one line of the wire with it (MaxLine), whatever JSON must escape.
const MaxLogMessage = 64 << 10

// JournalArgs asks for the last Lines lines of the units that match, and, with
// Follow, for those to come until the request is cancelled or the connection ends.
type JournalArgs struct {
	Only   []UnitPattern `json:"only,omitempty"`
	Lines  int           `json:"lines,omitempty"`
	Follow bool          `json:"follow,omitempty"`
}

// LogLine is one line of the journal; bytes that are no UTF-8 are replaced, nothing else is changed.
type LogLine struct {
	Time     time.Time `json:"time"`
	Unit     string    `json:"unit,omitempty"`
	Priority int       `json:"priority"`                // syslog's, 0 (emerg) to 7 (debug)
	Message  HostText  `json:"message" host:"unmasked"` // evidence: see docs/secrets.md
}
