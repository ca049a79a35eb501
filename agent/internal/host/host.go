// Package host puts the parts of a real host together: systemd, the journal, the
// release folder and the agent's own state, as a session speaks for them.
package host

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/re-connect/rpctl/agent/internal/audit"
	"github.com/re-connect/rpctl/agent/internal/config"
	"github.com/re-connect/rpctl/agent/internal/doctor"
	"github.com/re-connect/rpctl/agent/internal/jobs"
	"github.com/re-connect/rpctl/agent/internal/jobs/console"
	"github.com/re-connect/rpctl/agent/internal/jobs/systemdengine"
	"github.com/re-connect/rpctl/agent/internal/journal"
	"github.com/re-connect/rpctl/agent/internal/peer"
	"github.com/re-connect/rpctl/agent/internal/release"
	"github.com/re-connect/rpctl/agent/internal/session"
	"github.com/re-connect/rpctl/agent/internal/status"
	"github.com/re-connect/rpctl/agent/internal/units"
	"github.com/re-connect/rpctl/agent/internal/units/systemd"
	"github.com/re-connect/rpctl/agent/internal/workers"
	"github.com/re-connect/rpctl/internal/signature"
	"github.com/re-connect/rpctl/internal/version"
	"github.com/re-connect/rpctl/proto"
)

// Paths are where a host keeps what is the agent's.
type Paths struct {
	Config string // agent.toml
	State  string // folder of lease, audit, jobs and plans
	// Console holds what runner, systemd and console command hand to each other.
	Console string
	// Approvers and Hosts are the files of keys that count here.
	Approvers, Hosts string
}

// defaultState is where the agent keeps its state when systemd does not say (StateDirectory=).
const defaultState = "/var/lib/rp-agent"

// ThisHost is where they are on a real host; state is what systemd says of the state folder, or empty.
func ThisHost(state string) Paths {
	return Paths{
		Config: proto.ConfigPath, State: cmp.Or(state, defaultState), Console: console.Base,
		Approvers: config.ApproversPath, Hosts: config.TrustedHostsPath,
	}
}

// Open is this host for one session, and what frees it. It never fails: a configuration
// that may not be followed is the first thing that the session says. systemd is
// called when it is first needed, so that a greeting costs nothing.
func Open(paths Paths) (session.Host, func() error) {
	name, err := os.Hostname()
	if err != nil {
		name = "unknown"
	}
	host := session.Host{Name: name, Agent: version.String(), State: paths.State, Recheck: peer.ThisHost.Recheck}
	if host.Config, err = config.Load(paths.Config); err != nil {
		host.Refused = refused(err)
		return host, func() error { return nil }
	}
	host.ReceiptKey, host.CopyAudit = receiptKey(paths.State), copyAudit
	if host.Config.Console != nil {
		host.Signers = func() *proto.SignerDigests {
			return &proto.SignerDigests{Approvers: config.SignersDigest(paths.Approvers), TrustedHosts: config.TrustedHostsDigest(paths.Hosts)}
		}
	}
	manager := units.Lazy(func(ctx context.Context) (units.Manager, error) { return systemd.New(ctx) })
	layout := release.Layout{Path: host.Config.Application.Path}
	lines := journal.Journalctl{}
	host.Releases, host.Journal = layout, lines
	host.Workers = status.Served{Service: &workers.Service{
		Units: manager, Release: layout, Journal: lines, Patterns: host.Config.Workers,
	}}
	host.Doctor = doctor.Host{
		Config: func() (proto.HostConfig, error) { return config.Load(paths.Config) },
		State:  paths.State, Releases: layout, Journal: lines, Installed: doctor.ThisMachine(),
	}
	engine := &systemdengine.Engine{}
	host.Jobs = Migrations(host.Name, host.Config, paths, engine).Service()
	return host, func() error { return errors.Join(manager.Close(), engine.Close()) }
}

// Migrations are the parts of this host that plans are run with.
func Migrations(name string, rules proto.HostConfig, paths Paths, engine jobs.Engine) jobs.Parts {
	return jobs.Parts{
		Name: name, Config: rules, State: paths.State, Folders: console.FoldersIn(paths.Console), Engine: engine,
		Releases: release.Layout{Path: rules.Application.Path},
		Disk:     console.ThisDisk, CopyAudit: copyAudit,
		Approvers: func() (signature.Signers, error) { return config.Signers(paths.Approvers) },
		Hosts:     func() (signature.Signers, error) { return config.TrustedHosts(paths.Hosts) },
	}
}

// copyAudit writes a line of the audit to the journal, where user rp-agent cannot change it any more. A journal that
// takes nothing does not hold up what is done: doctor counts the lines that are missing there.
func copyAudit(line []byte) { _ = journal.Record(audit.Identifier, line) }

// receiptKey is the public half of the host's key, as setup left it; a host that signs nothing has none.
func receiptKey(state string) string {
	line, err := os.ReadFile(filepath.Join(state, "receipt_key.pub"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(line))
}

func refused(err error) *proto.Error {
	var known *proto.Error
	if errors.As(err, &known) {
		return known
	}
	return &proto.Error{Code: proto.CodeConfig, Message: proto.HostText("cannot read agent.toml: " + err.Error()), Advice: proto.Advice{Code: proto.AdviceInstall}}
}
