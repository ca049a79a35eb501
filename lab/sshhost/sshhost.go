// Package sshhost is an SSH server inside the process: a host for tests and for
// the demo, on a loopback port, with the faults that real hosts and networks
// have. It runs what its Handler does and nothing else: no shell, no login.
package sshhost

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
)

// Request is one `exec` request on a session channel.
type Request struct {
	Command    string // as the client sent it, not split
	User       string // login name; any name may log in with an authorized key
	RemoteAddr net.Addr
	LocalAddr  net.Addr
}

// Handler runs a command and returns its exit status. A negative status closes the
// channel without one, as sshd does for a command that vanished. ctx ends when
// the client closes the channel or the connection is lost; stdin then ends too.
type Handler func(ctx context.Context, request Request, stdin io.Reader, stdout, stderr io.Writer) (status int)

// Options describe a host.
type Options struct {
	Listen  string     // "127.0.0.1:0" when empty
	HostKey ssh.Signer // a new ed25519 key when nil
	// Authorized are the public keys that may log in, as any user.
	Authorized []ssh.PublicKey
	// OnOffer, where set, hears of each public key that a client offers, in order.
	OnOffer func(user string, key ssh.PublicKey)
	// Handler answers exec requests; nil refuses them.
	Handler Handler
	// SFTPRoot is the folder where the sftp subsystem's relative paths begin; empty
	// refuses the subsystem. Absolute paths are the machine's own: this is no jail.
	SFTPRoot string
	// Forward lets clients connect onward (direct-tcpip): the host is a bastion.
	Forward bool
	Faults  Faults
}

// Faults are what goes wrong. The zero value is a host in good health.
type Faults struct {
	StallHandshake bool          // TCP is accepted, then nothing is ever said
	DropHandshake  bool          // TCP is accepted and closed: sshd with MaxStartups, tcp wrappers
	RefuseAuth     bool          // no key is good enough
	MaxAuthTries   int           // as sshd's; 0 means 6
	MuteKeepalive  bool          // global requests are never answered: a host that hangs
	Delay          time.Duration // before the handler runs
	Noise          string        // on stdout before the handler runs: a login shell that talks
	// CutAfter closes the whole connection after so many bytes of a command's stdout; 0 never does.
	CutAfter int64
}

// Server is a running host.
type Server struct {
	options  Options
	config   *ssh.ServerConfig
	listener net.Listener
	ctx      context.Context
	cancel   context.CancelFunc
	wait     sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]struct{}
	idle  chan struct{} // closed when there are no conns; nil while nobody waits for that
}

// Start listens and serves until Close.
func Start(options Options) (*Server, error) {
	if options.HostKey == nil {
		key, err := newHostKey()
		if err != nil {
			return nil, err
		}
		options.HostKey = key
	}
	if options.Listen == "" {
		options.Listen = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", options.Listen)
	if err != nil {
		return nil, fmt.Errorf("cannot listen for SSH: %w", err)
	}
	s := &Server{options: options, listener: listener, conns: map[net.Conn]struct{}{}}
	s.config = s.serverConfig()
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.wait.Go(s.accept)
	return s, nil
}

// Addr is where the host listens.
func (s *Server) Addr() *net.TCPAddr { return s.listener.Addr().(*net.TCPAddr) }

// HostKey is the host's public key.
func (s *Server) HostKey() ssh.PublicKey { return s.options.HostKey.PublicKey() }

// KnownHostsLine is the line, without newline, that makes the host known under its address.
func (s *Server) KnownHostsLine() string { return s.KnownAs(s.Addr()) }

// KnownAs is that line for another address that leads to the host.
func (s *Server) KnownAs(address net.Addr) string {
	return knownhosts.Line([]string{address.String()}, s.HostKey())
}

// ClientConfig is the ssh_config(5) of a developer who reaches the host that listens at port of this machine by its
// alias: with this key alone, known by this file alone, over a connection of their own.
func ClientConfig(alias string, port int, key, knownHosts string) string {
	return fmt.Sprintf(`Host %s
    HostName 127.0.0.1
    Port %d
    User app
    IdentityFile %s
    IdentitiesOnly yes
    IdentityAgent none
    UserKnownHostsFile %s
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    ControlPath none
`, alias, port, key, knownHosts)
}

// Close cuts every connection and returns when all that served them has ended.
func (s *Server) Close() {
	s.cancel()
	s.listener.Close()
	s.CutAll()
	s.wait.Wait()
}

// CutAll closes every connection as a reboot would; new ones are still accepted.
func (s *Server) CutAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.conns {
		conn.Close()
	}
}

func newHostKey() (ssh.Signer, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("cannot make a host key: %w", err)
	}
	return ssh.NewSignerFromKey(private)
}

func (s *Server) serverConfig() *ssh.ServerConfig {
	config := &ssh.ServerConfig{
		MaxAuthTries: s.options.Faults.MaxAuthTries,
		PublicKeyCallback: func(meta ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if s.options.OnOffer != nil {
				s.options.OnOffer(meta.User(), key)
			}
			if s.options.Faults.RefuseAuth || !s.authorized(key) {
				return nil, errors.New("key not authorized")
			}
			return nil, nil
		},
	}
	config.AddHostKey(s.options.HostKey)
	return config
}

func (s *Server) authorized(key ssh.PublicKey) bool {
	for _, known := range s.options.Authorized {
		if bytes.Equal(known.Marshal(), key.Marshal()) {
			return true
		}
	}
	return false
}

func (s *Server) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.wait.Go(func() { s.serve(conn) })
	}
}

// track makes conn one that CutAll closes; false when the server is closing.
func (s *Server) track(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return false
	}
	s.conns[conn] = struct{}{}
	return true
}

func (s *Server) untrack(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if delete(s.conns, conn); len(s.conns) == 0 && s.idle != nil {
		close(s.idle)
		s.idle = nil
	}
}

// Idle waits until every connection has ended, with all that was run over it. The end of ctx is an error.
func (s *Server) Idle(ctx context.Context) error {
	s.mu.Lock()
	if len(s.conns) == 0 {
		s.mu.Unlock()
		return nil
	}
	if s.idle == nil {
		s.idle = make(chan struct{})
	}
	idle := s.idle
	s.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("somebody is still logged in: %w", context.Cause(ctx))
	}
}
