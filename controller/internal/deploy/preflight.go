package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/fleet"
	"github.com/re-connect/rpctl/controller/internal/inventory"
	"github.com/re-connect/rpctl/proto"
)

// needed is the operations that an agent must know to be deployed to.
var needed = []proto.Op{proto.OpRelease, proto.OpLease, proto.OpRestart, proto.OpVerify, proto.OpRecord}

// preflight connects to all hosts at once, refuses what does not fit, and takes the lease on each.
func (r *run) preflight(ctx context.Context) error {
	if err := r.lookLocally(); err != nil {
		return err
	}
	if err := r.connect(ctx); err != nil {
		return err
	}
	return r.lease(ctx)
}

// lookLocally finds out before anything is touched that a command is missing on this machine.
func (r *run) lookLocally() error {
	commands := [][]string{r.argv}
	if r.operation == opDeploy && !slices.Contains(r.Skip, stepPrepare) {
		commands = append(commands, r.Environment.Prepare...)
	}
	for _, argv := range commands {
		if len(argv) == 0 || r.Look == nil {
			continue
		}
		if err := r.Look(argv); err != nil {
			return err
		}
	}
	return nil
}

// connect dials all hosts and checks what they say of themselves.
func (r *run) connect(ctx context.Context) error {
	r.busy("connecting to " + strings.Join(r.Environment.Hosts, ", "))
	byName := map[string]*host{}
	var targets []fleet.Target
	for _, h := range r.hosts {
		byName[h.name()] = h
		targets = append(targets, h.target)
	}
	r.Fleet.Connect(ctx, targets, func(result fleet.Result[fleet.Greeted]) {
		h := byName[result.Target.Host]
		h.agent = result.Value.Agent
		err := result.Err
		if err == nil {
			err = Fits(r.Environment, h.name(), result.Value.Hello)
		}
		if err != nil {
			r.out(h, err)
			return
		}
		r.emit(event.Event{
			Kind: event.Host, Host: h.name(), State: event.Connected, Text: "agent " + result.Value.Hello.Agent,
			DurationMS: result.Took.Milliseconds(),
		})
	})
	return r.notReady("nothing was changed")
}

// Fits says whether a host is the one that is meant, knows what is needed, and
// enforces what hosts.toml says.
func Fits(environment inventory.Environment, host string, hello proto.Hello) error {
	name := environment.Name
	if hello.Error != nil {
		return exit.Place{Host: host, Environment: name}.Refusal(hello.Error)
	}
	for _, op := range needed {
		if !slices.Contains(hello.Capabilities, op) {
			return &exit.Error{
				Code:    exit.NoAgent,
				Message: fmt.Sprintf("rp-agent %s is too old: it does not know %q", hello.Agent, op),
				Next:    "rpctl agent upgrade --env " + name,
			}
		}
	}
	if hello.Environment != name {
		return &exit.Error{
			Code:    exit.Refused,
			Message: fmt.Sprintf("the host belongs to environment %q, not to %q: correct the hosts of %q in hosts.toml", hello.Environment, name, name),
			Next:    "rpctl status --env " + name,
		}
	}
	if hello.Config == nil {
		return &exit.Error{
			Code:    exit.HostFailed,
			Message: "the host does not tell its configuration, so it cannot be compared with hosts.toml",
			Next:    "rpctl doctor --env " + name,
		}
	}
	if differences := compare(environment.HostConfig(host), *hello.Config); len(differences) > 0 {
		return &exit.Error{
			Code:    exit.Refused,
			Message: "the host's agent.toml is not what hosts.toml says: " + strings.Join(differences, "; "),
			Next:    "rpctl agent diff --env " + name, // not install: it would put a slip of hosts.toml on the host
		}
	}
	return nil
}

// lease takes every host, or none. The first host by name is taken alone: of two
// deploys that begin at once one is told no there, and not each of them somewhere.
func (r *run) lease(ctx context.Context) error {
	r.busy("taking the leases")
	first := slices.MinFunc(r.hosts, func(a, b *host) int { return strings.Compare(a.name(), b.name()) })
	if err := r.take(ctx, first); err != nil {
		r.out(first, err)
		return r.notReady("nothing was changed")
	}
	r.each(ctx, func(ctx context.Context, h *host) error {
		if h == first {
			return nil
		}
		return r.take(ctx, h)
	})
	return r.notReady("nothing was changed, and the leases of the other hosts were given back")
}

func (r *run) take(ctx context.Context, h *host) error {
	var lease proto.Lease
	if err := h.call(ctx, proto.OpLease, proto.LeaseArgs{Purpose: r.operation}, &lease); err != nil {
		return r.held(err)
	}
	h.leased, h.before, h.patterns = true, lease.Release, narrow(lease.Patterns, r.Only)
	r.emit(event.Event{Kind: event.Host, Host: h.name(), State: event.Leased, Release: lease.Release})
	return r.someUnits(h)
}

// held says who holds the host, since when and for what.
func (r *run) held(err error) error {
	var refusal *proto.Error
	if !errors.As(err, &refusal) || refusal.Code != proto.CodeLeaseHeld || refusal.Holder == nil {
		return err
	}
	return &exit.Error{Code: exit.Refused, Message: r.heldBy(*refusal.Holder), Next: r.watch(*refusal.Holder), Err: err}
}

func (r *run) heldBy(by proto.Holder) string {
	from := ""
	if by.From != "" {
		from = string(" from " + by.From)
	}
	return fmt.Sprintf("held by %s (login %s%s) for a %s since %s (%s)", by.Operator, by.User, from, by.Purpose,
		by.Since.Local().Format("15:04:05"), event.Ago(r.Now().Sub(by.Since)))
}

// watch is how to wait for the end of who holds a host.
func (r *run) watch(by proto.Holder) string {
	if by.Job.Valid() {
		return fmt.Sprintf("rpctl attach %s --env %s", by.Job, r.Environment.Name)
	}
	return "rpctl status --env " + r.Environment.Name
}
