// Package units is the contract between the agent and the service manager of
// its host. units/systemd keeps it over D-Bus; agent/embedded/supervisor keeps it
// with plain processes. unitstest runs the same suite against both.
package units

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/re-connect/rpctl/proto"
)

// ErrRefused says that the service manager's policy (polkit) refused a verb.
var ErrRefused = errors.New("the service manager refused (polkit)")

// ErrNoRule is an ErrRefused for want of a rule: polkit would have asked somebody for a
// password. The rule is missing or broken, or another user than rp-agent asked.
var ErrNoRule = fmt.Errorf("%w: no rule speaks of this user", ErrRefused)

// ErrNotFound says that no such unit is known, loaded or on disk.
var ErrNotFound = errors.New("no such unit")

// ErrMasked says that the unit is masked: it must not be started, whoever asks.
var ErrMasked = errors.New("the unit is masked")

// State is a unit as the service manager sees it now. The names are systemd's.
type State struct {
	Unit        string
	Load        string // loaded, not-found, masked, bad-setting
	Active      string // active, inactive, activating, deactivating, failed
	Sub         string // running, dead, stop-sigterm, stop-sigkill, auto-restart, …
	Result      string // success, exit-code, signal, timeout, start-limit-hit, …
	Invocation  string // InvocationID, hex; empty when it never ran
	MainPID     uint32
	Restarts    uint32 // NRestarts: automatic ones only
	Memory      uint64 // bytes; 0 when not known
	Started     time.Time
	Changed     time.Time     // StateChangeTimestamp
	TimeoutStop time.Duration // 0 means that it may take for ever
	// Worked is the processor time that this invocation used so far, Waited the time that it was ready to
	// run and got no processor. Each is 0 where the manager does not report it.
	Worked, Waited time.Duration
	// Paths are the unit's WorkingDirectory and the words of its ExecStart: what it starts *through*.
	Paths []string
	// ExitCode is how the last main process ended: an exit status or a signal number, as ExitKind says.
	ExitKind string // exited, killed, dumped; empty while it runs and when it never ran
	ExitCode int
}

// Running says that a main process of the unit is at work.
func (s State) Running() bool { return s.Active == "active" && s.Sub == "running" }

// Manager is a host's service manager. Every call is safe for concurrent use.
type Manager interface {
	// Expected is the instances that ought to run for a pattern: the union of the
	// enabled ones (links in *.wants and *.requires) and the loaded ones that are
	// not inactive; sorted, without duplicates. No instance is no error here.
	Expected(ctx context.Context, pattern proto.UnitPattern) ([]string, error)

	// State reads a unit. A unit that does not exist has Load "not-found" and no error.
	State(ctx context.Context, unit string) (State, error)

	// Restart stops the unit if it runs, starts it, and returns when the manager has
	// finished the job, with the job's result in systemd's words (done, failed,
	// timeout, canceled, dependency). "done" does not prove that the unit works.
	// observe is called from one goroutine, with each state that was seen on the way and
	// at least once a second while the old process has not ended. When ctx
	// ends, Restart returns at once; the job goes on.
	// An old process that outlived TimeoutStop and was killed shows as an observed state of
	// Sub "stop-sigkill" (Result "timeout" alone may be left from an earlier stop).
	// A restart of a unit that is restarting joins that job. The errors are ErrRefused,
	// ErrNotFound and ErrMasked (wrapped; nothing was touched), ctx's, and those of the manager itself.
	Restart(ctx context.Context, unit string, observe func(State)) (result string, err error)

	// ResetFailed forgets failures and the start limit of a unit; a unit that has none is no
	// error. The errors are those of Restart, but a masked unit is none.
	ResetFailed(ctx context.Context, unit string) error

	// Close frees the connection to the manager.
	Close() error
}
