package connect

import (
	"context"
	"net"
	"time"

	"golang.org/x/crypto/ssh"
)

// overMaster is a connection over the live ControlMaster of a host, or nil where there is
// none: no socket, nobody behind it, or one that does not answer. It is worth a try first:
// no handshake, and what only the user's own ssh can do (bastions, second factors) is done.
func (d *Dialer) overMaster(ctx context.Context, r Resolved) *Conn {
	if r.ControlPath == "" {
		return nil
	}
	within := d.options.MasterWithin // a live one takes a millisecond
	dialer := net.Dialer{Timeout: within}
	socket, err := dialer.DialContext(ctx, "unix", r.ControlPath)
	if err != nil {
		return nil
	}
	_ = socket.SetDeadline(time.Now().Add(within))
	conn, channels, requests, err := ssh.NewControlClientConn(socket)
	if err != nil {
		socket.Close()
		return nil
	}
	_ = socket.SetDeadline(time.Time{})
	// No keepalive of ours: the master answers no global requests, and has its own (ServerAliveInterval).
	return &Conn{
		client: ssh.NewClient(conn, channels, requests), via: "control master", startWithin: d.options.StartWithin,
		stuck: d.ssh(r.typed, "-O", "exit"), closed: make(chan struct{}),
	}
}
