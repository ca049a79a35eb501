// Package inprocess makes hosts that are part of the process, and everything that a
// developer has to reach them: ssh_config, key, known_hosts, hosts.toml and a work tree
// with its remote. The hosts run the real agent (agent/embedded) behind real SSH
// (lab/sshhost), and their workers are real processes; there is no root and no systemd.
package inprocess

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/re-connect/rpctl/lab/app"
	"github.com/re-connect/rpctl/lab/sshhost"
	"github.com/re-connect/rpctl/proto"
)

// Options is what a lab is made of.
type Options struct {
	// Dir is an empty folder for all of it, absolute and of plain names: it becomes part of an application path.
	Dir string
	// App is the absolute path of a program that does what app.Main does; when empty, this
	// program itself, whose main function must then begin with RunApp.
	App string
	// Environments are in the order of hosts.toml; those of the runbook when nil.
	Environments []Environment
	// Adjust, where set, may change or break a host before it starts.
	Adjust func(*Host)
}

// Environment is one table of hosts.toml with its hosts. Hosts of one environment share the
// application's folder, since they share this machine.
type Environment struct {
	Name    string
	Hosts   []string // aliases
	Branch  string
	Workers []proto.UnitPattern
	// Instances is how many units each pattern has on each host; 1 when 0.
	Instances int
	// Message is how long a worker takes for a message, and so to stop; 100 ms when 0.
	Message time.Duration
	After   string
	Confirm bool
	// Hollow hosts run no process for their units.
	Hollow bool
	// Console lets the first host run migrations, on the runbook's centres.
	Console bool
	// BreakGlass lets operators pass the gates approval and before with a reason.
	BreakGlass bool
}

// Runbook is preprod and prod, as the runbook has them.
func Runbook() []Environment {
	return []Environment{
		{Name: "preprod", Hosts: []string{"rp-preprod"}, Branch: "dev", Instances: 2, Console: true, Workers: []proto.UnitPattern{
			"messenger_worker_async@*.service", "messenger_worker_dmp@*.service", "messenger_worker_export@*.service",
		}},
		{Name: "prod", Hosts: []string{"rp-prod"}, Branch: "main", Instances: 2, After: "preprod", Confirm: true, Console: true,
			Workers: []proto.UnitPattern{"messenger_worker@*.service"}},
	}
}

// Lab is hosts that run, and their developer.
type Lab struct {
	options Options
	hosts   []*Host
	// authorize lets the developer's key in.
	authorize func(*sshhost.Options)
	developer ssh.PublicKey
}

// Start makes everything and boots the hosts, with a first release on each. ctx bounds the start.
func Start(ctx context.Context, options Options) (*Lab, error) {
	if options.Environments == nil {
		options.Environments = Runbook()
	}
	l := &Lab{options: options}
	for _, step := range []func(context.Context) error{l.linkApp, l.makeWorkTree, l.firstReleases, l.makeKey, l.makePeople, l.boot, l.makeTrust, l.seed, l.writeFiles} {
		if err := step(ctx); err != nil {
			l.Close()
			return nil, fmt.Errorf("cannot start the in-process lab: %w", err)
		}
	}
	return l, nil
}

// Close cuts all connections and ends all processes of the hosts. Dir stays.
func (l *Lab) Close() {
	var wait sync.WaitGroup
	for _, h := range l.hosts {
		wait.Go(h.close)
	}
	wait.Wait()
}

// Dir is the folder that holds all of it; hosts.toml is found from the work tree upwards.
func (l *Lab) Dir() string { return l.options.Dir }

// WorkTree is the developer's checkout, on the first environment's branch, with a remote called origin.
func (l *Lab) WorkTree() string { return l.path("work") }

// HostsTOML is the inventory of the lab.
func (l *Lab) HostsTOML() string { return l.path("hosts.toml") }

// SSHConfig is the file for `ssh -F` and `rpctl --ssh-config`.
func (l *Lab) SSHConfig() string { return l.path("ssh_config") }

// Application is the folder that holds releases/N and current of an environment.
func (l *Lab) Application(environment string) string { return l.path("hosts", environment, "www") }

// Host finds a host by its alias; nil when there is none.
func (l *Lab) Host(alias string) *Host {
	i := slices.IndexFunc(l.hosts, func(h *Host) bool { return h.Alias == alias })
	if i < 0 {
		return nil
	}
	return l.hosts[i]
}

func (l *Lab) path(names ...string) string {
	return filepath.Join(append([]string{l.options.Dir}, names...)...)
}

// firstReleases gives each environment a release of its branch.
func (l *Lab) firstReleases(ctx context.Context) error {
	for _, e := range l.options.Environments {
		from := l.path("first", e.Name)
		if err := git(ctx, l.options.Dir, "clone", "-q", "--branch", e.Branch, l.path("origin.git"), from); err != nil {
			return err
		}
		to := l.Application(e.Name)
		if err := os.MkdirAll(to, 0o755); err != nil {
			return err
		}
		if err := app.Deploy(from, to, io.Discard); err != nil {
			return err
		}
	}
	return os.RemoveAll(l.path("first"))
}

// boot starts all hosts, some at the same time.
func (l *Lab) boot(ctx context.Context) error {
	for _, e := range l.options.Environments {
		for _, alias := range e.Hosts {
			l.hosts = append(l.hosts, l.newHost(e, alias))
		}
	}
	slots := make(chan struct{}, 2*runtime.GOMAXPROCS(0))
	failures := make([]error, len(l.hosts))
	var wait sync.WaitGroup
	for i, h := range l.hosts {
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			failures[i] = h.start(ctx)
		})
	}
	wait.Wait()
	return errors.Join(failures...)
}
