package session

import (
	"context"
	"time"

	"github.com/re-connect/rpctl/agent/internal/jobs"
	"github.com/re-connect/rpctl/agent/internal/peer"
	"github.com/re-connect/rpctl/proto"
)

// Host is the machine that a session speaks for. A real host fills it with
// systemd's parts, the embedded one with a supervisor's: everything that decides
// who may do what is in this package, so that both decide the same way.
type Host struct {
	Name   string // as the host calls itself
	Agent  string // version of rp-agent
	Config proto.HostConfig
	// ReceiptKey is the public half of the host's receipt key; empty where there is none.
	ReceiptKey string
	// Signers are the digests of the files of keys that count now; nil where no migrations run.
	Signers func() *proto.SignerDigests
	// Refused says why agent.toml cannot be followed; the session then greets with it and ends.
	Refused *proto.Error
	// Recheck looks up which of its groups the caller is a member of now; its error says why the caller may do nothing
	// any more. nil: those of the connection count as long as it lasts.
	Recheck func(peer.Caller) (peer.Caller, error)
	// Crowded says why only jobs are listed and cancelled in this connection, and for a short time; nil serves all.
	Crowded *proto.Error
	// CopyAudit takes a copy of each line of the audit; nil makes none.
	CopyAudit func(line []byte)
	// State is the folder that holds the lease and the audit file.
	State string

	Workers  Workers
	Releases Releases
	Journal  Journal
	Doctor   Doctor
	// Jobs is nil on a host that runs no plans.
	Jobs Jobs

	// Silence is how long a caller may say nothing while it holds the lease or follows a journal,
	// Idle how long otherwise. 0 means DefaultSilence and DefaultIdle.
	Silence, Idle time.Duration
	Now           func() time.Time // nil: the clock
	// Log takes what only the host's administrator can mend, a panic with its stack for one; nil drops it.
	Log func(error)
}

// How long a caller may say nothing (PROTOCOL.md, "Liveness").
const (
	DefaultSilence = 30 * time.Second
	DefaultIdle    = 10 * time.Minute
)

// Workers keeps the units that agent.toml lists. `only` narrows to some of the
// host's own patterns, or to single instances of them, and the session has checked that they are; empty means all.
// Errors that are a *proto.Error reach the caller as they are.
type Workers interface {
	// Units is the expected instances, one entry for each pattern, in the order of agent.toml; a
	// pattern without an instance has an empty list and is no error.
	Units(ctx context.Context, only []proto.UnitPattern) ([]proto.PatternUnits, error)

	// Restart restarts the expected instances and calls report with each step, from one goroutine
	// at a time. A pattern without an instance is CodeNoUnits, before anything is restarted. When ctx
	// ends it returns at once; what the service manager was told goes on.
	Restart(ctx context.Context, args proto.RestartArgs, report func(proto.UnitProgress)) (proto.RestartResult, error)

	// Verify gives each unit its verdict, after the settle time where that is still to pass.
	Verify(ctx context.Context, args proto.VerifyArgs, report func(proto.UnitProgress)) (proto.VerifyResult, error)

	// Status fills Release or ReleaseErr, Workers, and Problems; the session adds the rest.
	Status(ctx context.Context) (proto.Status, error)
}

// Releases says which release `current` names; errors are *proto.Error of CodeRelease.
type Releases interface {
	Current() (proto.Release, error)
}

// Journal gives the last n lines of each unit and, with follow, those to come until ctx ends. It
// returns the first error of emit. The end of ctx is no error of a follow.
type Journal interface {
	Follow(ctx context.Context, units []string, n int, follow bool, emit func(proto.LogLine) error) error
}

// Doctor probes every assumption that the agent makes about its host; it changes nothing.
type Doctor interface {
	Run(ctx context.Context) proto.DoctorReport
}

// Jobs is the work on plans, which outlives the session that asked for it. Refusals are *proto.Error.
type Jobs interface {
	// Start admits a job and starts its runner; asked twice, it is the same job.
	Start(ctx context.Context, args proto.JobStartArgs, caller jobs.Caller) (proto.Job, error)
	// Follow gives out changes and output until the job ends, ctx ends, or all was given that there is.
	Follow(ctx context.Context, args proto.JobFollowArgs, sink jobs.Sink) (proto.Job, error)
	Cancel(ctx context.Context, args proto.JobCancelArgs, caller jobs.Caller) (proto.Job, error)
	List(ctx context.Context, args proto.JobsArgs) (proto.JobList, error)
	PlanStatus(ctx context.Context, args proto.PlanStatusArgs) (proto.PlanStatus, error)
	Approve(ctx context.Context, args proto.ApproveArgs, caller jobs.Caller) (proto.PlanStatus, error)
	Revoke(ctx context.Context, args proto.RevokeArgs, caller jobs.Caller) (proto.PlanStatus, error)
	// Mutating is the job that changes the application's data now, or nil: nothing is deployed meanwhile.
	Mutating(ctx context.Context) (*proto.Job, error)
	// Overview is the jobs that have not ended, and the newest plans that are not applied.
	Overview(ctx context.Context) ([]proto.Job, []proto.PlanState, error)
}
