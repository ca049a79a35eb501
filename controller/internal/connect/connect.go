// Package connect makes an SSH connection to an alias, as ssh itself would make
// it: from the same configuration, with the same keys, through the same jumps,
// over a live ControlMaster where there is one. Host keys are checked strictly,
// always. Every failure is an *exit.Error of code Unreachable that says what to
// type next.
//
// Round trips with OpenSSH, measured: Dial costs none over a live master and seven
// otherwise (TCP, key exchange 2, authentication service, "none", key offer,
// signature), each jump as many again and one for the channel through it; Start costs one.
// They are those of ssh itself.
package connect

import (
	"context"
	"sync"
	"time"

	"github.com/re-connect/rpctl/controller/internal/exit"
)

// Options say how to connect. Zero durations mean their defaults.
type Options struct {
	// SSHConfig is read instead of ~/.ssh/config and /etc/ssh/ssh_config, like ssh -F.
	SSHConfig string
	// Program is the ssh that resolves aliases ("ssh -G"); "none", or one that is not there, makes
	// this package read the configuration files itself. When empty, "ssh" of PATH is asked where the
	// configuration says more than a plain one does (plainConfig).
	Program string
	// Passphrase asks for the passphrase of a private key, one question at a time, and returns
	// an error when the person gives up. Nil never asks: in CI such a key is not used.
	Passphrase func(ctx context.Context, keyFile string) ([]byte, error)

	DialWithin      time.Duration // TCP, where the configuration has no ConnectTimeout: 10 s
	HandshakeWithin time.Duration // from TCP to logged in, time spent with a person not counted: 30 s
	MasterWithin    time.Duration // for a ControlMaster to answer on this machine: 3 s
	StartWithin     time.Duration // to open a channel on a connection: 20 s
	KeepaliveEvery  time.Duration // 15 s
	KeepaliveWithin time.Duration // a host that does not answer for so long is gone: 15 s
}

// Dialer makes connections. It may be used by several goroutines; what it read of
// known_hosts files and what it decrypted of keys is kept and shared by them.
type Dialer struct {
	options Options
	keys    keyring
	known   knownHostsCache
	plain   *plainReader // nil: ssh is always asked
}

// New is a dialer with these options.
func New(options Options) *Dialer {
	for duration, otherwise := range map[*time.Duration]time.Duration{
		&options.DialWithin: 10 * time.Second, &options.HandshakeWithin: 30 * time.Second,
		&options.StartWithin: 20 * time.Second, &options.KeepaliveEvery: 15 * time.Second,
		&options.KeepaliveWithin: 15 * time.Second, &options.MasterWithin: 3 * time.Second,
	} {
		if *duration <= 0 {
			*duration = otherwise
		}
	}
	var plain *plainReader
	if options.Program == "" {
		options.Program, plain = "ssh", &plainReader{}
	}
	return &Dialer{options: options, plain: plain, keys: keyring{ask: options.Passphrase, unlocked: map[string]unlocked{}}}
}

// Dial connects to an alias. ctx bounds the dialling, not the connection's life.
func (d *Dialer) Dial(ctx context.Context, alias string) (*Conn, error) {
	return d.DialAs(ctx, "", alias)
}

// DialAs connects as another user than the configuration's, like ssh -l; an empty user changes nothing.
func (d *Dialer) DialAs(ctx context.Context, user, alias string) (*Conn, error) {
	target := hop{user: user, host: alias}
	if err := target.check(); err != nil {
		return nil, &exit.Error{Code: exit.BadInput, Host: alias, Message: err.Error()}
	}
	conn, err := d.dial(ctx, target, nil, 0)
	if err != nil {
		return nil, located(ctx, alias, err)
	}
	return conn, nil
}

// Resolve says what the configuration makes of an alias; it connects to nothing.
func (d *Dialer) Resolve(ctx context.Context, alias string) (Resolved, error) {
	target := hop{host: alias}
	if err := target.check(); err != nil {
		return Resolved{}, &exit.Error{Code: exit.BadInput, Host: alias, Message: err.Error()}
	}
	resolved, err := d.resolve(ctx, target)
	if err != nil {
		return Resolved{}, located(ctx, alias, err)
	}
	return resolved, nil
}

// knownHostsCache keeps the parsed files of each set, since many hosts share one.
type knownHostsCache struct {
	mu   sync.Mutex
	sets map[string]*knownHosts
}
