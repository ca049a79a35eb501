// Package embedded is the real agent on a host that is part of the process: the same
// session, workers, status, audit and doctor as in rp-agent, over a supervisor of plain
// child processes where a real host has systemd. The demo and the tests have their
// hosts from here; it is in no shipped binary.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/re-connect/rpctl/agent/embedded/jobengine"
	"github.com/re-connect/rpctl/agent/embedded/supervisor"
	"github.com/re-connect/rpctl/agent/internal/doctor"
	"github.com/re-connect/rpctl/agent/internal/journal"
	"github.com/re-connect/rpctl/agent/internal/release"
	"github.com/re-connect/rpctl/agent/internal/session"
	"github.com/re-connect/rpctl/agent/internal/status"
	"github.com/re-connect/rpctl/agent/internal/units"
	"github.com/re-connect/rpctl/agent/internal/workers"
	"github.com/re-connect/rpctl/internal/version"
	"github.com/re-connect/rpctl/proto"
)

// Options is what a host is made of.
type Options struct {
	Name  string // as the host calls itself
	State string // folder for the lease and the audit; made when it is not there
	// Config is what agent.toml says on a real host. Config.Application.Path must be there.
	Config proto.HostConfig
	Units  []supervisor.Definition

	// Agent is the version that the host tells; this build's when empty.
	Agent string
	// Unbelieved says why agent.toml is refused; the host then greets with it and serves nothing.
	Unbelieved *proto.Error
	// Refuse plays polkit, as supervisor.Options.Refuse.
	Refuse func(verb, unit string) bool
	// Hollow runs no process: every enabled unit only says that it runs. For many hosts at once.
	Hollow bool
	// Silence is how long a caller that holds the lease may say nothing; 0 is the protocol's.
	Silence time.Duration
	// Now is the host's clock; the machine's when nil. What it stamps on files and units it does not change.
	Now func() time.Time
}

// Host is a host that was booted.
type Host struct {
	options Options
	manager units.Manager
	journal journal.Memory
	session session.Host
	jobs    *jobengine.Engine // nil where the host runs no migrations
	agent   atomic.Pointer[string]

	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	serving sync.WaitGroup
}

// New boots a host: its enabled units run, through the release that is current. ctx bounds
// the boot, which waits for a switch of current that is younger than the file system's clock can tell.
func New(ctx context.Context, options Options) (*Host, error) {
	if err := os.MkdirAll(options.State, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the host's state: %w", err)
	}
	if options.Agent == "" {
		options.Agent = version.String()
	}
	h := &Host{options: options}
	h.agent.Store(&options.Agent)
	if err := h.boot(ctx); err != nil {
		return nil, fmt.Errorf("cannot boot %s: %w", options.Name, err)
	}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	h.session = h.parts()
	if err := h.migrations(); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot boot %s: %w", options.Name, err), h.Close())
	}
	return h, nil
}

func (h *Host) boot(ctx context.Context) error {
	if h.options.Hollow {
		h.manager = newHollow(h.options.Units, h.options.Refuse)
		return nil
	}
	running, err := supervisor.New(supervisor.Options{Units: h.options.Units, Log: h.log, Refuse: h.options.Refuse})
	if err != nil {
		return err
	}
	if err := h.afterSwitch(ctx); err != nil {
		return err
	}
	running.Boot()
	h.manager = running
	return nil
}

// afterSwitch waits until what starts now certainly starts after current was switched. A host
// before its first deploy has nothing to wait for.
func (h *Host) afterSwitch(ctx context.Context) error {
	current, err := release.Layout{Path: h.options.Config.Application.Path}.Current()
	if err != nil {
		return nil
	}
	select {
	case <-time.After(time.Until(release.CertainFrom(current))):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// parts is what a session needs, as cmd/rp-agent puts it together on a real host.
func (h *Host) parts() session.Host {
	o := h.options
	layout := release.Layout{Path: o.Config.Application.Path}
	return session.Host{
		Name: o.Name, Agent: o.Agent, Config: o.Config, Refused: o.Unbelieved, State: o.State, Silence: o.Silence, Now: o.Now,
		Workers: status.Served{Service: &workers.Service{
			Units: h.manager, Release: layout, Journal: &h.journal, Patterns: o.Config.Workers,
		}},
		Releases: layout,
		Journal:  &h.journal,
		Doctor: doctor.Host{
			Config: h.config, State: o.State, Releases: layout, Journal: &h.journal,
		},
	}
}

func (h *Host) config() (proto.HostConfig, error) {
	if h.options.Unbelieved != nil {
		return proto.HostConfig{}, h.options.Unbelieved
	}
	return h.options.Config, nil
}

// log takes a line of a unit, as journald would.
func (h *Host) log(unit string, line []byte) {
	h.journal.Add(unit, proto.LogLine{Time: time.Now().UTC(), Priority: priorityInfo, Message: proto.HostText(string(line))})
}

// priorityInfo is what journald gives a line of stdout (systemd.exec(5), SyslogLevel=).
const priorityInfo = 6

// Supervisor is the host's service manager, to stop units as an administrator would; nil on a hollow host.
func (h *Host) Supervisor() *supervisor.Supervisor {
	running, _ := h.manager.(*supervisor.Supervisor)
	return running
}

// Upgrade has new conversations meet an agent of another version; those that there are go on with the old one.
func (h *Host) Upgrade(agent string) { h.agent.Store(&agent) }

// Idle waits until no conversation goes on and no job; nobody may begin one meanwhile.
func (h *Host) Idle() {
	h.serving.Wait()
	if h.jobs != nil {
		h.jobs.Idle()
	}
}

// Close ends all conversations and all processes, and waits for both.
func (h *Host) Close() error {
	h.cancel()
	h.serving.Wait()
	if h.jobs != nil {
		_ = h.jobs.Close() // it has nothing to say
	}
	if err := h.manager.Close(); err != nil {
		return errors.Join(fmt.Errorf("cannot stop the units of %s", h.options.Name), err)
	}
	return nil
}
