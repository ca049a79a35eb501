// Package doctor probes every assumption that the agent makes about its host,
// one check each: what was found, and where it is wrong, what to type. No probe
// changes anything. It runs as rp-agent, in the sandbox of a connection, so that it
// sees what the agent itself would.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/re-connect/rpctl/agent/internal/units"
	"github.com/re-connect/rpctl/internal/signature"
	"github.com/re-connect/rpctl/proto"
)

// Manager is what the doctor asks of systemd and polkit; units/systemd.Manager is one.
type Manager interface {
	// Expected is units.Manager's.
	Expected(ctx context.Context, pattern proto.UnitPattern) ([]string, error)
	// ProbeStop and ProbeStart learn whether a verb is allowed, on a unit that cannot run: nil
	// is allowed, units.ErrRefused refused, units.ErrNoRule refused because no rule speaks.
	ProbeStop(ctx context.Context, unit string) error
	ProbeStart(ctx context.Context, unit string) error
	// Identity is under which name systemd knows a unit, and as whom it runs.
	Identity(ctx context.Context, unit string) (units.Identity, error)
	// Stale says that systemd has not read a unit's file again since it changed.
	Stale(ctx context.Context, unit string) (bool, error)
	Version(ctx context.Context) (string, error)
	PolkitVersion(ctx context.Context) (string, error)
	ClockSynchronized(ctx context.Context) (bool, error)
	// Virtualization is in systemd-detect-virt(1)'s words.
	Virtualization(ctx context.Context) (string, error)
}

// Journal is session.Journal's Follow.
type Journal interface {
	Follow(ctx context.Context, units []string, n int, follow bool, emit func(proto.LogLine) error) error
}

// Releases is session.Releases.
type Releases interface {
	Current() (proto.Release, error)
}

// Host is what the doctor looks at.
type Host struct {
	// Config reads the host's own file strictly; its error is a *proto.Error of CodeConfig.
	Config func() (proto.HostConfig, error)
	// State is the agent's state folder.
	State    string
	Releases Releases
	Journal  Journal

	// Installed is the parts that `rp-agent setup` puts on a host; nil on an embedded one, where
	// the probes of units, polkit, folders and rights do not apply.
	Installed *Installed
	// Now is the clock, Space the disk; nil means this machine's.
	Now   func() time.Time
	Space func(folder string) (Space, error)
}

// Installed is a host that was set up.
type Installed struct {
	// Connect reaches systemd; its error is a failed check, not a failed doctor.
	Connect func(ctx context.Context) (Manager, func() error, error)
	// Root is / but in tests.
	Root string
	// Owners names who owns path, HasGroup knows the host's groups; nil asks /etc/passwd and /etc/group.
	Owners   func(path string, uid, gid uint32) (owner, group string)
	HasGroup func(name string) bool
	// InGroup says whether a user is in a group; nil asks /etc/passwd and /etc/group.
	InGroup func(user, group string) bool
	// Signers reads a file of people's keys (config.Signers), Hosts one of hosts' keys (config.TrustedHosts).
	Signers, Hosts func(path string) (signature.Signers, error)
	// Copies returns the newest lines of the audit that stand in the journal, oldest first.
	Copies func(ctx context.Context) ([][]byte, error)
}

// Run probes everything, in the order in which one thing needs the other.
func (h Host) Run(ctx context.Context) proto.DoctorReport {
	e := &examination{Host: h.withDefaults()}
	e.cfg, e.cfgErr = h.Config()
	e.until = time.Now().Add(allTime)
	defer e.close()
	for _, p := range probes {
		e.report.Checks = append(e.report.Checks, e.look(ctx, p))
	}
	e.lookAgain(ctx)
	return e.report
}

// probe is one assumption. Its error is a finding: what is wrong, with the fix where it is a *fault.
type probe struct {
	name string
	run  func(e *examination, ctx context.Context) (detail string, err error)
}

var probes = []probe{
	{"config", (*examination).config},
	{"agent binary", (*examination).binary},
	{"systemd", (*examination).systemdVersion},
	{"polkit", (*examination).polkitVersion},
	{"polkit rule", (*examination).polkitRule},
	{"units", (*examination).units},
	{"socket", (*examination).socket},
	{"groups", (*examination).groups},
	{"operators", (*examination).operators},
	{"folders", (*examination).folders},
	{"state", (*examination).state},
	{"receipt key", (*examination).receiptKey},
	{"workers", (*examination).workers},
	{"journal", (*examination).journal},
	{"audit in the journal", (*examination).auditCopies},
	{"release", (*examination).release},
	{"console", (*examination).console},
	{"migrations", (*examination).migrations},
	{"console runs", (*examination).runs},
	{"clock", (*examination).clock},
	{"disk", (*examination).disk},
	{"login shell", (*examination).loginShell},
}

func (e *examination) config(context.Context) (string, error) {
	var refusal *proto.Error
	switch {
	case errors.As(e.cfgErr, &refusal):
		return "", wrong(refusal.Advice, "%s", refusal.Message)
	case e.cfgErr != nil:
		return "", e.cfgErr
	}
	return fmt.Sprintf("environment %s, application %s of user %s, %d worker patterns",
		e.cfg.Environment, e.cfg.Application.Path, e.cfg.Application.User, len(e.cfg.Workers)), nil
}

// loginShell cannot be seen from here: the agent is not in the login that would print.
func (e *examination) loginShell(context.Context) (string, error) {
	return "", &skip{"cannot be seen from the host: `rpctl doctor` sees what a login prints before the agent speaks"}
}

func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
