// Package connect makes an SSH connection to an alias, as ssh itself would make
// it: from the same configuration, with the same keys, through the same jumps,
// over a live ControlMaster where there is one. Where the configuration is plain
// (keywords.go), this package logs in itself, which takes a third of the time and
// no process for each host; everywhere else the ssh program logs in, and this
// package speaks over its connection (transport.go). Host keys are checked
// strictly, always. Every failure is an *exit.Error of code Unreachable that says
// what to type next.
//
// Round trips with OpenSSH, measured: Dial costs none over a live master and seven
// otherwise (TCP, key exchange 2, authentication service, "none", key offer,
// signature), each jump as many again and one for the channel through it; Start costs one.
// They are those of ssh itself.
package connect

import (
	"cmp"
	"context"
	"os/exec"
	"sync"
	"time"

	"github.com/re-connect/rpctl/controller/internal/exit"
)

// Options say how to connect. Zero durations mean their defaults.
type Options struct {
	// SSHConfig is read instead of ~/.ssh/config and /etc/ssh/ssh_config, like ssh -F.
	SSHConfig string
	// Program is the ssh program. When empty, "ssh" of PATH is used where the configuration says more than a plain
	// one does (plainConfig), to read it ("ssh -G") and to open the connection. Another name is always used, and
	// "none" never.
	Program string
	// Passphrase asks for the passphrase of a private key, one question at a time, and returns
	// an error when the person gives up. Nil never asks: in CI such a key is not used.
	Passphrase func(ctx context.Context, keyFile string) ([]byte, error)
	// Prompt asks what the ssh program wants to know (a passphrase, a password, a second factor); what is typed is
	// not shown. The caller wipes the answer. Nil: ssh asks nothing.
	Prompt func(ctx context.Context, question string) ([]byte, error)
	// Notice shows what ssh says while it waits, such as a key that wants a touch. It may be nil.
	Notice func(text string)

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
	program string       // path of the ssh program, or ""
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
	program, err := exec.LookPath(cmp.Or(options.Program, "ssh"))
	if err != nil || options.Program == "none" {
		program = ""
	}
	var plain *plainReader
	if options.Program == "" || program == "" {
		plain = &plainReader{alone: program == ""}
	}
	return &Dialer{options: options, plain: plain, program: program, keys: keyring{ask: options.Passphrase, unlocked: map[string]unlocked{}}}
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
