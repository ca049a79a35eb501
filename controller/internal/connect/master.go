package connect

import (
	"context"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"
)

// overMaster is a connection over the live ControlMaster of a host, or nil where there is
// none: no socket, nothing behind it, or one that does not answer. It is worth a try first:
// no handshake, and what only the user's own ssh can do (bastions, second factors) is done.
// A master of another user is refused: it would see all that is sent, and answer for the host.
func (d *Dialer) overMaster(ctx context.Context, r Resolved) (*Conn, error) {
	if r.ControlPath == "" {
		return nil, nil
	}
	if owner, ok := ownerOf(r.ControlPath); ok && owner != uint32(os.Getuid()) {
		return nil, &failure{
			message: fmt.Sprintf("the control socket %s belongs to uid %d: another user could read and answer for %s; set ControlPath to a folder of your own",
				r.ControlPath, owner, r.Alias),
			next: d.ssh(r.typed, "-G"),
		}
	}
	client, err := muxClient(ctx, r.ControlPath, d.options.MasterWithin) // a live one takes a millisecond
	if err != nil {
		return nil, nil
	}
	// No keepalive of ours: the master answers no global requests, and has its own (ServerAliveInterval).
	return &Conn{
		client: client, user: r.User, via: "control master", startWithin: d.options.StartWithin,
		stuck: d.ssh(r.typed, "-O", "exit"), closed: make(chan struct{}),
	}, nil
}

// muxClient connects to the socket of a master that this user runs.
func muxClient(ctx context.Context, path string, within time.Duration) (*ssh.Client, error) {
	dialer := net.Dialer{Timeout: within}
	socket, err := dialer.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if err := ownPeer(socket.(*net.UnixConn)); err != nil {
		socket.Close()
		return nil, err
	}
	_ = socket.SetDeadline(time.Now().Add(within))
	conn, channels, requests, err := ssh.NewControlClientConn(socket)
	if err != nil {
		socket.Close()
		return nil, err
	}
	_ = socket.SetDeadline(time.Time{})
	return ssh.NewClient(conn, channels, requests), nil
}

// ownerOf is the uid that a file belongs to, links not followed; false where there is none.
func ownerOf(path string) (uid uint32, ok bool) {
	info, err := os.Lstat(path)
	if err != nil {
		return 0, false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return stat.Uid, true
}
