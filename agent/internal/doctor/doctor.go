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
	"strings"
	"time"

	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/internal/signature"
	"github.com/re-connect/rpctl/proto"
)

// A bus or a disk that hangs is an answer too, one that is slow on a busy host is not. The bounds together
// are less than who asks will wait for all probes (rpctl: 30 s).
const (
	// probeTime bounds one probe, allTime the first ones in all; what comes after a probe that hung
	// has leastTime each.
	probeTime = 12 * time.Second
	allTime   = 16 * time.Second
	leastTime = 500 * time.Millisecond
)

// Manager is what the doctor asks of systemd and polkit; units/systemd.Manager is one.
type Manager interface {
	// Expected is units.Manager's.
	Expected(ctx context.Context, pattern proto.UnitPattern) ([]string, error)
	// ProbeStop and ProbeStart learn whether a verb is allowed, on a unit that cannot run: nil
	// is allowed, units.ErrRefused refused, units.ErrNoRule refused because no rule speaks.
	ProbeStop(ctx context.Context, unit string) error
	ProbeStart(ctx context.Context, unit string) error
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
	// Signers reads a file of accepted keys (config.Signers).
	Signers func(path string) (signature.Signers, error)
}

// Run probes everything, in the order in which one thing needs the other.
func (h Host) Run(ctx context.Context) proto.DoctorReport {
	e := &examination{Host: h.withDefaults()}
	e.cfg, e.cfgErr = h.Config()
	e.until = time.Now().Add(allTime)
	defer e.close()
	for _, p := range probes {
		e.run(ctx, p)
	}
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
	{"folders", (*examination).folders},
	{"state", (*examination).state},
	{"receipt key", (*examination).receiptKey},
	{"workers", (*examination).workers},
	{"journal", (*examination).journal},
	{"release", (*examination).release},
	{"console", (*examination).console},
	{"migrations", (*examination).migrations},
	{"clock", (*examination).clock},
	{"disk", (*examination).disk},
	{"login shell", (*examination).loginShell},
}

// examination is one run.
type examination struct {
	Host
	cfg    proto.HostConfig
	cfgErr error
	report proto.DoctorReport
	until  time.Time // the end of allTime, by the monotonic clock

	manager    Manager
	managerErr error
	hangUp     func() error
}

// run puts a probe's finding into the report. A panic is a finding: one bad probe hides no other.
func (e *examination) run(ctx context.Context, p probe) {
	within := max(leastTime, min(probeTime, time.Until(e.until)))
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	check := proto.Check{Name: p.name, OK: true}
	detail, err := guarded(e, ctx, p)
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("no answer within %s: %v", within.Round(leastTime), err) // whatever the probe takes its error for
	}
	var f *fault
	var s *skip
	switch {
	case errors.As(err, &s):
		check.Skipped, detail = true, s.why
	case errors.As(err, &f):
		check.OK, detail, check.Fix = false, f.what, f.fix
	case err != nil:
		check.OK, detail, check.Fix = false, err.Error(), "sudo journalctl -u 'rp-agent@*' -n 50"
	}
	check.Detail, check.Fix = printable.Excerpt(detail, 1000), printable.Excerpt(e.here(check.Fix), 300)
	e.report.Checks = append(e.report.Checks, check)
}

func guarded(e *examination, ctx context.Context, p probe) (detail string, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the probe itself failed: %v", r)
		}
	}()
	return p.run(e, ctx)
}

// here is a fix with this host's environment, which rpctl wants to be told. A host that does not know it leaves
// that to the reader, and to the rpctl that asked.
func (e *examination) here(fix string) string {
	if e.cfgErr != nil || !strings.HasPrefix(fix, "rpctl ") || strings.Contains(fix, " --env ") {
		return fix
	}
	return fix + " --env " + e.cfg.Environment
}

// fault is what is wrong and what to type: a command of this host's, or one of rpctl's or git's, which
// are the operator's own; nothing where no command mends it.
type fault struct{ what, fix string }

func (f *fault) Error() string { return f.what }

func wrong(fix, format string, args ...any) error {
	return &fault{fmt.Sprintf(format, args...), fix}
}

// skip says why nothing was proved.
type skip struct{ why string }

func (s *skip) Error() string { return s.why }

const (
	reinstall = "rpctl agent install"
	embedded  = "does not apply: this host is embedded, nothing was installed on it"
)

// installed is the host's installed parts, or the reason to skip.
func (e *examination) installed() (*Installed, error) {
	if e.Installed == nil {
		return nil, &skip{embedded}
	}
	return e.Installed, nil
}

// connected is systemd, reached once for all probes.
func (e *examination) connected(ctx context.Context) (Manager, error) {
	installed, err := e.installed()
	if err != nil {
		return nil, err
	}
	if e.manager == nil && e.managerErr == nil {
		e.manager, e.hangUp, e.managerErr = installed.Connect(ctx)
	}
	if e.managerErr != nil {
		return nil, wrong("systemctl status dbus", "cannot reach systemd: %v", e.managerErr)
	}
	return e.manager, nil
}

func (e *examination) close() {
	if e.hangUp != nil {
		_ = e.hangUp()
	}
}

// configured is the host's configuration, or the reason to skip.
func (e *examination) configured() (proto.HostConfig, error) {
	if e.cfgErr != nil {
		return proto.HostConfig{}, &skip{"cannot be seen before the configuration is good"}
	}
	return e.cfg, nil
}

func (e *examination) config(context.Context) (string, error) {
	var refusal *proto.Error
	switch {
	case errors.As(e.cfgErr, &refusal):
		return "", wrong(refusal.Next, "%s", refusal.Message)
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
