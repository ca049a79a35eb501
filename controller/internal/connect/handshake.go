package connect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/crypto/ssh"

	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/internal/printable"
)

// handshake logs in over an open connection, which it closes when that fails.
func (d *Dialer) handshake(ctx context.Context, raw net.Conn, r Resolved) (*ssh.Client, error) {
	known, err := d.known.of(r.KnownHosts)
	if err != nil {
		raw.Close()
		return nil, err
	}
	hostKey := &hostKeyCheck{known: known, r: r, d: d}
	patience := newPatience(d.options.HandshakeWithin, func() { raw.Close() })
	defer patience.end()
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	defer stop()
	login := &login{dialer: d, r: r, patience: patience}
	defer login.close()
	conn, channels, requests, err := ssh.NewClientConn(raw, hostKey.address(), &ssh.ClientConfig{
		User: r.User, Auth: []ssh.AuthMethod{ssh.PublicKeysCallback(func() ([]ssh.Signer, error) { return login.signers(ctx), nil })},
		AuthCallback:    login.observe,
		HostKeyCallback: hostKey.check, HostKeyAlgorithms: hostKey.algorithms(),
	})
	if err == nil && stop() && patience.end() {
		return ssh.NewClient(conn, channels, requests), nil
	}
	raw.Close()
	if err == nil { // the clock ran out in the last moment
		err = context.DeadlineExceeded
	}
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case hostKey.refused != nil:
		return nil, hostKey.refused
	case patience.expired():
		return nil, &failure{message: fmt.Sprintf("the SSH handshake took longer than %s", d.options.HandshakeWithin), next: d.ssh(r.typed, "-v"), err: err}
	}
	return nil, login.explain(err)
}

// explain says why a login failed.
func (l *login) explain(err error) error {
	next := l.dialer.ssh(l.r.typed, "-v")
	text := strings.TrimPrefix(err.Error(), "ssh: handshake failed: ")
	switch {
	case strings.Contains(strings.ToLower(text), "too many authentication failures"):
		return &failure{
			message: fmt.Sprintf("the host broke off after %s for user %s: too many authentication failures; set IdentityFile and IdentitiesOnly yes in the ssh configuration", counted(len(l.offered)), l.r.User),
			next:    next, err: err,
		}
	case errors.Is(err, errNoPassphrase):
		return &failure{message: safe(text), next: "ssh-add", err: err}
	case l.asked && strings.Contains(text, "unable to authenticate"):
		return l.refused(err)
	case strings.Contains(text, "no common algorithm"):
		return &failure{message: "no algorithm in common with the host: " + safe(text), next: next, err: err}
	case !l.asked && over(err):
		return &failure{message: "the host closed the connection in the SSH handshake (sshd overloaded, this address blocked, or no sshd at that port)", next: next, err: err}
	case over(err):
		return &failure{message: "the connection was lost while logging in", next: next, err: err}
	}
	return &failure{message: "the SSH handshake failed: " + safe(text), next: next, err: err}
}

// over says whether an error is only how Go tells that a connection has ended.
func over(err error) bool {
	return slices.ContainsFunc([]error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE, net.ErrClosed}, func(end error) bool { return errors.Is(err, end) })
}

// refused says which keys were offered in vain, and which could not be.
func (l *login) refused(err error) error {
	next := l.dialer.ssh(l.r.typed, "-v")
	if l.partial || !l.keysTaken {
		return &failure{
			sshMayLogIn: true,
			message:     fmt.Sprintf("the host wants more than a key from user %s (%s): open a master connection first (ControlPath must be set)", l.r.User, safe(strings.Join(l.methods, ", "))),
			next:        l.dialer.ssh(l.r.typed, "-o", "ControlMaster=yes", "-fN"), err: err,
		}
	}
	message := fmt.Sprintf("no usable key for user %s", l.r.User)
	if len(l.offered) > 0 {
		message += "; refused: " + strings.Join(l.offered, ", ")
	}
	if len(l.notes) > 0 {
		message += "; not offered: " + strings.Join(l.notes, ", ")
	}
	if len(l.offered)+len(l.notes) == 0 {
		message += ": the agent holds none and no IdentityFile exists"
	}
	if l.unlock != "" {
		next = "ssh-add " + exit.Word(l.unlock)
	}
	return &failure{message: message, next: next, err: err, sshMayLogIn: l.more}
}

func counted(keys int) string {
	if keys == 1 {
		return "1 key"
	}
	return fmt.Sprintf("%d keys", keys)
}

// safe makes text of a host fit for an error message.
func safe(text string) string { return printable.Excerpt(text, 300) }
