package connect

import (
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// Conn is a connection to a host. Its methods may be used concurrently.
type Conn struct {
	client      *ssh.Client
	user        string
	via         string
	jumps       []string
	below       *Conn // the jump host's connection that carries this one, or nil
	startWithin time.Duration
	stuck       string // what to type when no channel can be opened
	end         func() // ends the ssh program that carries the connection; may be nil
	closeOnce   sync.Once
	closed      chan struct{}
}

// newConn keeps a logged-in connection alive, and notices when it no longer is.
func (d *Dialer) newConn(client *ssh.Client, r Resolved, via string, below *Conn) *Conn {
	conn := &Conn{
		client: client, user: r.User, via: via, below: below, startWithin: d.options.StartWithin,
		stuck: d.ssh(r.typed, "-v"), closed: make(chan struct{}),
	}
	go conn.keepalive(d.options.KeepaliveEvery, d.options.KeepaliveWithin)
	return conn
}

// keepalive asks the host for a sign of life, and closes the connection when none comes:
// TCP alone notices a pulled cable after a quarter of an hour, x/crypto never.
func (c *Conn) keepalive(every, within time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-c.closed:
			return
		case <-ticker.C:
		}
		overdue := time.AfterFunc(within, func() { c.client.Close() })
		_, _, err := c.client.SendRequest("keepalive@openssh.com", true, nil)
		overdue.Stop()
		if err != nil {
			return
		}
	}
}

// Via says how the host was reached: "control master", "ssh", "direct" or "jump a,b".
func (c *Conn) Via() string {
	if len(c.jumps) > 0 {
		return "jump " + strings.Join(c.jumps, ",")
	}
	return c.via
}

// User is the login, as the configuration or the caller named it.
func (c *Conn) User() string { return c.user }

// Client is the connection for protocols of its own, such as SFTP; it is closed by Close.
func (c *Conn) Client() *ssh.Client { return c.client }

// Close ends the connection with all that runs on it, and those of its jump hosts.
func (c *Conn) Close() error {
	var err error
	c.closeOnce.Do(func() {
		close(c.closed)
		err = c.client.Close()
		if c.end != nil {
			c.end()
		}
		if c.below != nil {
			_ = c.below.Close()
		}
	})
	return err
}
