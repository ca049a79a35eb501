package proto

import "time"

// Phase is how far a unit has come in a restart or a verification.
type Phase string

// The phases, in the order in which a good restart shows them.
const (
	PhaseQueued   Phase = "queued"
	PhaseStopping Phase = "stopping" // finishing the message in hand; Elapsed of Timeout
	PhaseKilling  Phase = "killing"  // TimeoutStopSec is over, SIGKILL was sent
	PhaseStarting Phase = "starting"
	PhaseStarted  Phase = "started"
	PhaseSettling Phase = "settling"
	PhaseSettled  Phase = "settled"
	PhaseFailed   Phase = "failed"
)

// UnitProgress is one step of one unit. Durations are milliseconds.
type UnitProgress struct {
	Unit      string   `json:"unit"`
	Phase     Phase    `json:"phase"`
	ElapsedMS int64    `json:"elapsed_ms,omitempty"` // since the phase began
	TimeoutMS int64    `json:"timeout_ms,omitempty"` // of the phase, where it has one
	Detail    HostText `json:"detail,omitempty"`
}

// UnitsArgs narrows an operation to some of the host's own patterns, or to single instances of
// them (messenger_worker_async@1.service); empty means all of them.
type UnitsArgs struct {
	Only []UnitPattern `json:"only,omitempty"`
}

// UnitList is what a restart would restart.
type UnitList struct {
	Patterns []PatternUnits `json:"patterns"`
}

// PatternUnits is a pattern of agent.toml and the instances expected for it: the union of
// the enabled ones (*.wants, *.requires) and the loaded ones that are not inactive.
type PatternUnits struct {
	Pattern UnitPattern `json:"pattern"`
	Units   []string    `json:"units"`
}

// RestartArgs asks for a restart of the expected instances.
type RestartArgs struct {
	Only []UnitPattern `json:"only,omitempty"`
	// Batch is how many units restart at the same time; 0 means all of them.
	Batch int `json:"batch,omitempty"`
}

// Restarted is what a restart left: the invocation that Verify must find again.
type Restarted struct {
	Unit       string    `json:"unit"`
	Pattern    string    `json:"pattern"`
	Invocation string    `json:"invocation,omitempty"` // systemd's InvocationID, hex
	PID        uint32    `json:"pid,omitempty"`
	Started    time.Time `json:"started,omitzero"`
	// Killed says that the old process was stopped by SIGKILL after TimeoutStopSec: a message was cut off.
	Killed bool `json:"killed,omitempty"`
	// Failed says why the unit did not start again.
	Failed HostText `json:"failed,omitempty"`
}

// RestartResult has one entry for each expected unit, in the order of the patterns.
type RestartResult struct {
	Units []Restarted `json:"units"`
}

// VerifyArgs asks whether units run the current release: those of a restart
// (Expect), or, when Expect is empty, all expected instances as they are now.
type VerifyArgs struct {
	Expect []Restarted   `json:"expect,omitempty"`
	Only   []UnitPattern `json:"only,omitempty"`
	// SettleMS is how long an invocation must have lived to count, in milliseconds; 0 means DefaultSettle. The host
	// waits longer, a minute at most, for one that still starts.
	SettleMS int64 `json:"settle_ms,omitempty"`
}

// DefaultSettle is how long a worker must live to count as settled.
const DefaultSettle = 3 * time.Second

// Verdict is what was found of one unit.
type Verdict string

// The verdicts. Only the first is good; NotProvable is good enough to go on and is said so.
const (
	VerdictProved      Verdict = "new code proved"
	VerdictNotProvable Verdict = "restarted, code not provable"
	VerdictOldCode     Verdict = "runs old code"
	VerdictCrashLoop   Verdict = "crash loop"
	VerdictKilled      Verdict = "killed after timeout (a message was cut off)"
	VerdictMissing     Verdict = "missing"
	VerdictFailed      Verdict = "failed"
)

// UnitVerdict is a verdict with its grounds.
type UnitVerdict struct {
	Unit    string   `json:"unit"`
	Pattern string   `json:"pattern"`
	Verdict Verdict  `json:"verdict"`
	Why     HostText `json:"why,omitempty"`
	// NewCode says that the running process was started after the release switch through current;
	// it can be true for VerdictKilled too, where the *old* process was cut off.
	NewCode bool      `json:"new_code"`
	Journal []LogLine `json:"journal,omitempty"` // last lines, where something is wrong
}

// OK says that the unit runs what it should and that nothing was cut off.
func (v UnitVerdict) OK() bool {
	return v.Verdict == VerdictProved || v.Verdict == VerdictNotProvable
}

// VerifyResult has one verdict for each unit.
type VerifyResult struct {
	Release Release       `json:"release"`
	Units   []UnitVerdict `json:"units"`
}

// OK says that every unit is well and that there was at least one.
func (r VerifyResult) OK() bool {
	for _, u := range r.Units {
		if !u.OK() {
			return false
		}
	}
	return len(r.Units) > 0
}
