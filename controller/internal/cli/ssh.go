package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/re-connect/rpctl/controller/internal/agentclient"
	"github.com/re-connect/rpctl/controller/internal/connect"
	"github.com/re-connect/rpctl/controller/internal/fleet"
	"github.com/re-connect/rpctl/proto"
)

// What --timeout bounds is one TCP connection. What follows may take longer, as many times: an SSH login,
// since a sshd may look names up before it speaks, and rp-agent's greeting, which a login shell runs first.
const (
	handshakes = 3
	greetings  = 2
)

// ssh reaches hosts as the operator's own ssh would.
type ssh struct {
	dialer   *connect.Dialer
	operator string
	greeting time.Duration // from the command that starts rp-agent to its first word
	alive    time.Duration
	warn     func(host, text string)
}

// sshConfig is the ssh configuration that is read instead of the user's own, as it was typed; empty for none.
func (a *app) sshConfig() string { return cmp.Or(a.flags.sshConfig, a.Getenv("RPCTL_SSH_CONFIG")) }

// sshOf makes the dialer once: it keeps what it has read and unlocked.
func (a *app) sshOf() *ssh {
	a.sshMu.Lock()
	defer a.sshMu.Unlock()
	if a.ssh == nil {
		options := connect.Options{
			SSHConfig: a.sshConfig(), DialWithin: a.flags.timeout, HandshakeWithin: handshakes * a.flags.timeout, StartWithin: greetings * a.flags.timeout,
			KeepaliveEvery: a.Alive, KeepaliveWithin: a.Alive,
		}
		if a.Secret != nil {
			options.Passphrase = func(ctx context.Context, keyFile string) ([]byte, error) {
				return a.askSecret(ctx, "passphrase of "+safe(keyFile)+": ")
			}
			options.Prompt = func(ctx context.Context, question string) ([]byte, error) {
				return a.askSecret(ctx, "ssh asks: "+question+" ")
			}
			options.Notice = func(text string) { a.warn("", "ssh: "+text) }
		}
		a.ssh = &ssh{dialer: connect.New(options), operator: a.operator(), greeting: greetings * a.flags.timeout, alive: a.Alive, warn: a.warn}
	}
	return a.ssh
}

// dial connects to a host and starts its agent.
func (s *ssh) dial(ctx context.Context, target fleet.Target) (fleet.Agent, error) {
	conn, err := s.dialer.Dial(ctx, target.Host)
	if err != nil {
		return nil, err
	}
	client, err := agentclient.Open(ctx, agentclient.Over(conn), agentclient.Options{
		Host: target.Host, Environment: target.Environment, Operator: s.operator, Warn: s.warn, GreetingWithin: s.greeting, PingEvery: s.alive,
	})
	if err != nil {
		_ = conn.Close() // what failed before is what is told
		return nil, err
	}
	return &agent{Client: client, conn: conn}, nil
}

// resolve says what the ssh configuration makes of an alias.
func (s *ssh) resolve(ctx context.Context, alias string) (string, error) {
	r, err := s.dialer.Resolve(ctx, alias)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s is %s@%s:%d, %d key files (by %s)", alias, r.User, r.HostName, r.Port, len(r.IdentityFiles), r.Source), nil
}

// agent is a client and the connection that it owns.
type agent struct {
	*agentclient.Client
	conn *connect.Conn
}

// Call tells a lost answer from a refusal, as the fleet wants it.
func (g *agent) Call(ctx context.Context, op proto.Op, args, result any, on func(proto.Event)) error {
	err := g.Client.Call(ctx, op, args, result, on)
	var lost *agentclient.LostError
	if errors.As(err, &lost) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", fleet.ErrLost, err)
	}
	return err
}

// Close ends the conversation and the connection.
func (g *agent) Close() error { return errors.Join(g.Client.Close(), g.conn.Close()) }

// Via says which way the host was reached: directly, by jumps, or over a control master.
func (g *agent) Via() string { return g.conn.Via() }
