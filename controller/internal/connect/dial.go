package connect

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"
)

// maxHops is more jumps than anybody has; past it the configuration goes in circles.
const maxHops = 8

// dial connects to one hop: over its live master, else through the jumps that were given,
// else through those of its own configuration. depth counts the hops on the way.
func (d *Dialer) dial(ctx context.Context, target hop, given []hop, depth int) (*Conn, error) {
	if depth > maxHops {
		return nil, &failure{message: fmt.Sprintf("ProxyJump goes in circles: more than %d hops", maxHops), next: d.ssh(target, "-G")}
	}
	r, err := d.resolve(ctx, target)
	if err != nil {
		return nil, err
	}
	if conn, err := d.overMaster(ctx, r); conn != nil || err != nil {
		return conn, err
	}
	if r.left {
		return d.overSSH(ctx, r, given)
	}
	jumps := given
	if len(jumps) == 0 {
		jumps = r.jumps
	}
	var conn *Conn
	if len(jumps) == 0 {
		conn, err = d.direct(ctx, r)
	} else {
		conn, err = d.jump(ctx, r, jumps, depth)
	}
	var why *failure
	if errors.As(err, &why) && why.sshMayLogIn && d.program != "" && ctx.Err() == nil {
		if conn, sshErr := d.overSSH(ctx, r, given); sshErr == nil {
			return conn, nil
		} // our own error names the keys
	}
	return conn, err
}

// direct connects over TCP.
func (d *Dialer) direct(ctx context.Context, r Resolved) (*Conn, error) {
	within := d.options.DialWithin
	if r.ConnectTimeout > 0 {
		within = r.ConnectTimeout
	}
	address := net.JoinHostPort(r.HostName, strconv.Itoa(r.Port))
	dialer := net.Dialer{Timeout: within}
	raw, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, d.noTCP(r, address, within, err)
	}
	client, err := d.handshake(ctx, raw, r)
	if err != nil {
		return nil, err
	}
	return d.newConn(client, r, "direct", nil), nil
}

// noTCP says why nothing answers at an address.
func (d *Dialer) noTCP(r Resolved, address string, within time.Duration, err error) error {
	next := d.ssh(r.typed, "-v")
	var unknown *net.DNSError
	var timeout net.Error
	switch {
	case errors.As(err, &unknown) && (unknown.IsNotFound || !unknown.IsTimeout):
		return &failure{message: fmt.Sprintf("cannot resolve the name %s", r.HostName), next: d.ssh(r.typed, "-G"), err: err}
	case errors.Is(err, syscall.ECONNREFUSED):
		return &failure{message: fmt.Sprintf("connection refused by %s", address), next: next, err: err}
	case errors.As(err, &timeout) && timeout.Timeout():
		return &failure{message: fmt.Sprintf("no answer from %s within %s", address, within), next: next, err: err}
	}
	return &failure{message: fmt.Sprintf("cannot connect to %s: %v", address, err), next: next, err: err}
}

// jump connects through the last of jumps, which is itself reached through the others, or
// where there are none through its own configuration, as `ssh -J` does.
func (d *Dialer) jump(ctx context.Context, r Resolved, jumps []hop, depth int) (*Conn, error) {
	last := jumps[len(jumps)-1]
	below, err := d.dial(ctx, last, jumps[:len(jumps)-1], depth+1)
	if err != nil {
		var why *failure
		if errors.As(err, &why) && len(why.through) == 0 {
			why.through = []string{last.String()}
		}
		return nil, err
	}
	client, err := d.through(ctx, below, r, last)
	if err != nil {
		below.Close()
		return nil, err
	}
	conn := d.newConn(client, r, "", below)
	conn.jumps = append(slices.Clone(below.jumps), last.String())
	return conn, nil
}

// through connects onward from a jump host.
func (d *Dialer) through(ctx context.Context, below *Conn, r Resolved, last hop) (*ssh.Client, error) {
	address := net.JoinHostPort(r.HostName, strconv.Itoa(r.Port))
	within, cancel := context.WithTimeout(ctx, d.options.StartWithin)
	defer cancel()
	raw, err := below.client.DialContext(within, "tcp", address)
	var refused *ssh.OpenChannelError
	switch {
	case err == nil:
		return d.handshake(ctx, raw, r)
	case errors.As(err, &refused) && refused.Reason == ssh.Prohibited:
		return nil, &failure{message: fmt.Sprintf("jump host %s forbids connections to %s", last, address), next: d.ssh(r.typed, "-v"), err: err}
	case errors.As(err, &refused):
		return nil, &failure{
			message: fmt.Sprintf("jump host %s cannot reach %s: %s", last, address, safe(refused.Message)), next: d.ssh(r.typed, "-v"), err: err,
		}
	case within.Err() != nil:
		return nil, &failure{message: fmt.Sprintf("jump host %s: no answer from %s within %s", last, address, d.options.StartWithin), next: d.ssh(r.typed, "-v"), err: err}
	}
	return nil, &failure{message: fmt.Sprintf("jump host %s: %s", last, safe(err.Error())), next: d.ssh(r.typed, "-v"), err: err}
}
