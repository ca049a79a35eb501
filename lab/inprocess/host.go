package inprocess

import (
	"context"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/re-connect/rpctl/agent/embedded"
	"github.com/re-connect/rpctl/agent/embedded/supervisor"
	"github.com/re-connect/rpctl/lab/sshhost"
	"github.com/re-connect/rpctl/lab/wire"
	"github.com/re-connect/rpctl/proto"
)

// The application's user, who is also the login of developers, as Deployer has it.
const (
	appUser = "app"
	appUID  = 1000
)

// group may look and act, as where hosts.toml says nothing.
const group = "rpctl"

// Unit is a worker of a host, for Options.Adjust to change.
type Unit = supervisor.Definition

// Host is one host of a lab. SSH and Agent may be changed by Options.Adjust, before it starts.
type Host struct {
	Alias       string
	Environment string

	SSH   sshhost.Options
	Agent embedded.Options
	// Absent is a host whose ssh_config leads to nobody: it is not started.
	Absent bool
	// Forced lets the developer's key run `rp-agent ssh` and nothing else.
	Forced bool
	// Unknown is a host that known_hosts does not have.
	Unknown bool
	// Wired puts a proxy between developers and the host, to break the network with.
	Wired bool

	server *sshhost.Server
	wire   *wire.Proxy // nil where not Wired

	mu      sync.Mutex
	running *embedded.Host // nil while the host is down
	logins  sync.WaitGroup // added to under mu, while running is there
}

func (l *Lab) newHost(e Environment, alias string) *Host {
	h := &Host{Alias: alias, Environment: e.Name}
	var rules *proto.Console
	if alias == e.Hosts[0] {
		rules = l.rules(e)
	}
	l.authorize(&h.SSH)
	h.Agent = embedded.Options{
		Name: alias, State: l.path("hosts", e.Name, alias+".state"), Hollow: e.Hollow,
		Config: proto.HostConfig{
			Environment: e.Name, Application: proto.Application{Path: l.Application(e.Name), User: appUser},
			Workers: e.Workers, Look: []string{group}, Act: []string{group}, Console: rules,
		},
		Units: l.units(e),
	}
	if l.options.Adjust != nil {
		l.options.Adjust(h)
	}
	return h
}

// units are the workers of one host, as lab/units has them for real hosts.
func (l *Lab) units(e Environment) []supervisor.Definition {
	message := e.Message
	if message == 0 {
		message = 100 * time.Millisecond
	}
	var all []supervisor.Definition
	for _, pattern := range e.Workers {
		for i := range max(e.Instances, 1) {
			all = append(all, supervisor.Definition{
				Name:        strings.Replace(string(pattern), "*", strconv.Itoa(i+1), 1),
				Argv:        []string{l.options.App, "worker", message.String()},
				Dir:         filepath.Join(l.Application(e.Name), "current"),
				TimeoutStop: 10 * time.Second,
				Restart:     true, RestartDelay: 100 * time.Millisecond,
				StartLimitBurst: 5, StartLimitInterval: 10 * time.Second,
				Enabled: true,
			})
		}
	}
	return all
}

func (h *Host) start(ctx context.Context) error {
	if h.Absent {
		return nil
	}
	var err error
	if h.running, err = embedded.New(ctx, h.Agent); err != nil {
		return err
	}
	if h.SSH.Handler == nil {
		h.SSH.Handler = h.Login
	}
	if h.server, err = sshhost.Start(h.SSH); err != nil {
		return fmt.Errorf("cannot start %s: %w", h.Alias, err)
	}
	if h.Wired {
		h.wire, err = wire.Listen(h.server.Addr().String())
	}
	return err
}

// Addr is where developers reach the host.
func (h *Host) Addr() *net.TCPAddr {
	if h.wire != nil {
		return h.wire.Addr()
	}
	return h.server.Addr()
}

// Login is the handler of a host in good health: what a login user's shell would run.
func (h *Host) Login(ctx context.Context, request sshhost.Request, stdin io.Reader, stdout, stderr io.Writer) int {
	caller := embedded.Caller{User: request.User, UID: appUID, Groups: []string{request.User, group}, Forced: h.Forced}
	client, fromTCP := request.RemoteAddr.(*net.TCPAddr)
	server, toTCP := request.LocalAddr.(*net.TCPAddr)
	if fromTCP && toTCP {
		caller.Connection = fmt.Sprintf("%s %d %s %d", client.IP, client.Port, server.IP, server.Port)
	}
	running := h.enter()
	if running == nil {
		h.server.CutAll()
		return vanished
	}
	defer h.logins.Done()
	return running.Exec(ctx, request.Command, caller, stdin, stdout, stderr)
}

// vanished is the status of a command that went down with its host.
const vanished = -1

// enter keeps the host from going down before logins.Done; nil where it is down.
func (h *Host) enter() *embedded.Host {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.running != nil {
		h.logins.Add(1)
	}
	return h.running
}

// Server is the host's SSH side, Running its agent; nil where the host is absent.
func (h *Host) Server() *sshhost.Server { return h.server }

// Wire is the network in front of a host that is Wired; nil elsewhere.
func (h *Host) Wire() *wire.Proxy { return h.wire }

// Running is the host's agent and service manager; nil while the host is down.
func (h *Host) Running() *embedded.Host {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.running
}

// Idle waits until both sides of every connection have closed it (where the host is Wired), nobody is
// logged in, no conversation with the agent goes on and no job; nobody may begin any meanwhile. The end
// of ctx is an error that says what was still there.
func (h *Host) Idle(ctx context.Context) error {
	if h.wire != nil {
		if err := h.wire.Idle(ctx); err != nil {
			return err
		}
	}
	if err := h.server.Idle(ctx); err != nil {
		return err
	}
	running, over := h.Running(), make(chan struct{})
	go func() {
		defer close(over)
		if running != nil {
			running.Idle()
		}
	}()
	select {
	case <-over:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("a conversation or a job goes on: %w", context.Cause(ctx))
	}
}

// Reboot cuts all connections, kills all that runs and boots the host again on the same disk. Who
// connects meanwhile is cut off. ctx bounds the boot.
func (h *Host) Reboot(ctx context.Context) error {
	h.mu.Lock()
	going := h.running
	h.running = nil
	h.mu.Unlock()
	if going == nil {
		return fmt.Errorf("cannot reboot %s: it is down", h.Alias)
	}
	h.server.CutAll()
	h.logins.Wait()
	_ = going.Close() // its processes are gone
	running, err := embedded.New(ctx, h.Agent)
	if err != nil {
		return fmt.Errorf("cannot reboot %s: %w", h.Alias, err)
	}
	h.mu.Lock()
	h.running = running
	h.mu.Unlock()
	return nil
}

func (h *Host) close() {
	if h.wire != nil {
		h.wire.Close()
	}
	if h.server != nil {
		h.server.Close()
	}
	if h.running != nil {
		_ = h.running.Close() // its processes are gone; nobody is left to be told
	}
}
