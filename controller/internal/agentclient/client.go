// Package agentclient speaks to rp-agent over one channel: requests and events
// as proto/PROTOCOL.md has them, and what was noise. The host is not trusted:
// what it sends is bounded in memory and in time.
//
// Round trips: Open sends nothing but the command and waits for nothing, and a Call
// goes out without waiting for the greeting. On a channel that is open, Open and the first
// Call together cost one round trip where the host takes input at once, and two
// with OpenSSH, which opens a session's window only when the command has started: the
// command goes out and the greeting comes back, the request goes out and the answer
// comes back. Every later Call costs one.
package agentclient

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/internal/secret"
	"github.com/re-connect/rpctl/proto"
)

// DefaultCommand is what the login user runs on a host: by its whole path, so that the login's PATH and aliases name
// no other program. The login's shell and its start-up files still run first.
const DefaultCommand = proto.AgentPath + " rpc"

// Options say who speaks to whom. The zero durations mean their defaults.
type Options struct {
	Host        string // alias, for messages
	Environment string // that the caller means; the agent refuses another than its own
	Operator    string // who types, "alice@laptop"
	// Warn hears what a login shell or the agent printed beside the protocol, safe for
	// a terminal. It is called by one goroutine at a time, and not after Close has returned.
	Warn      func(host, text string)
	PingEvery time.Duration // 10 s: the agent takes 30 s of silence for death
	// GreetingWithin bounds the time from Open to the greeting: 20 s, for a slow login.
	GreetingWithin time.Duration
	// CancelWithin is how long a cancelled Call waits for the agent to confirm: 2 s.
	CancelWithin time.Duration
	Command      string // DefaultCommand when empty
}

// Client is a conversation with one agent. Its methods may be used concurrently.
type Client struct {
	options Options
	channel Channel
	// outgoing is written to the channel by one goroutine, so that a host that does not
	// read can hold up neither a caller nor a ping.
	outgoing chan any
	greeted  chan struct{} // closed when hello and common are set
	hello    proto.Hello
	common   int           // protocol version after the greeting
	broken   chan struct{} // closed when failure is set: nothing more will come
	closed   chan struct{} // closed by Close

	rooms  chan []byte // of outputs that were heard, for those to come
	stderr *stderrLog
	turn   chan struct{} // held while a request gets its id and its place in outgoing: ids rise on the wire

	mu      sync.Mutex
	failure error
	lastID  int64
	pending map[int64]*call // unanswered, abandoned ones included
	warnMu  sync.Mutex
}

// Open starts the agent on a host and returns before it has answered: failures of
// the agent itself come from Hello or the first Call.
func Open(ctx context.Context, transport Transport, options Options) (*Client, error) {
	options = withDefaults(options)
	channel, err := transport.Start(ctx, options.Command)
	if err != nil {
		return nil, hosted(err, options.Host)
	}
	c := &Client{
		options: options, channel: channel, outgoing: make(chan any, 16),
		greeted: make(chan struct{}), broken: make(chan struct{}), closed: make(chan struct{}),
		rooms: make(chan []byte, eventsHeld+2), turn: make(chan struct{}, 1), pending: map[int64]*call{},
	}
	c.stderr = newStderrLog(c.warn)
	go c.stderr.drain(channel.Stderr())
	go c.receive()
	go c.send()
	go c.watchGreeting()
	return c, nil
}

func withDefaults(o Options) Options {
	orDefault := func(d *time.Duration, otherwise time.Duration) {
		if *d <= 0 {
			*d = otherwise
		}
	}
	orDefault(&o.PingEvery, 10*time.Second)
	orDefault(&o.GreetingWithin, 20*time.Second)
	orDefault(&o.CancelWithin, 2*time.Second)
	if o.Command == "" {
		o.Command = DefaultCommand
	}
	if o.Warn == nil {
		o.Warn = func(string, string) {}
	}
	return o
}

// Hello waits for the greeting. Its failures say that the agent is missing, too old
// or too new (exit.NoAgent), refuses to serve, or could not be reached.
func (c *Client) Hello(ctx context.Context) (proto.Hello, error) {
	select {
	case <-c.greeted:
		return c.hello, nil
	default:
	}
	select {
	case <-c.greeted:
		return c.hello, nil
	case <-c.broken:
		return proto.Hello{}, c.failed("the greeting")
	case <-c.closed:
		return proto.Hello{}, errClosed
	case <-ctx.Done():
		return proto.Hello{}, c.interrupted(ctx, "the greeting")
	}
}

// errClosed is what a Call gets that was made after Close: a mistake of the program.
var errClosed = errors.New("the agent's client is closed")

// Close ends the conversation: the agent sees the end of its input and drops the
// lease. It does not wait for that.
func (c *Client) Close() error {
	c.mu.Lock()
	select {
	case <-c.closed:
		c.mu.Unlock()
		return nil
	default:
	}
	close(c.closed)
	c.mu.Unlock()
	err := c.channel.Close()
	c.warnMu.Lock() // a Warn that is under way ends first
	defer c.warnMu.Unlock()
	return err
}

// fail ends the conversation with err, once; every Call that waits gets it.
func (c *Client) fail(err error) {
	c.mu.Lock()
	first := c.failure == nil
	if first {
		c.failure = err
		close(c.broken)
	}
	c.mu.Unlock()
	if first {
		c.channel.Close()
	}
}

// send writes requests, and a ping whenever PingEvery has gone by, until the end.
func (c *Client) send() {
	stdin := c.channel.Stdin()
	out := proto.NewWriter(stdin)
	pings := time.NewTicker(c.options.PingEvery)
	defer pings.Stop()
	for {
		var line any
		select {
		case <-c.closed:
			return
		case <-c.broken:
			return
		case line = <-c.outgoing:
		case <-pings.C:
			line = proto.Line{Ping: true}
		}
		if err := out.Write(line); err != nil {
			return // receive sees the end of the connection too, and knows more about it
		}
	}
}

// watchGreeting gives up on a host that runs the command and says nothing.
func (c *Client) watchGreeting() {
	timer := time.NewTimer(c.options.GreetingWithin)
	defer timer.Stop()
	select {
	case <-c.greeted:
	case <-c.broken:
	case <-c.closed:
	case <-timer.C:
		c.fail(c.noGreeting())
	}
}

// warn shows text of the host, made safe, unless the client is closed. What looks like a secret is left out: a login
// shell with `set -x` prints what it exports.
func (c *Client) warn(text string) {
	c.warnMu.Lock()
	defer c.warnMu.Unlock()
	select {
	case <-c.closed:
	default:
		c.options.Warn(c.options.Host, printable.Line(secret.Mask(text)))
	}
}
