// Package wire is a TCP proxy in front of a host, with the faults that a network has: lines that
// are slow or narrow, that break after so many bytes, and that break without telling anybody.
package wire

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"
)

// Ending is how a connection comes to its end.
type Ending int

// The endings.
const (
	Close Ending = iota // both ends get FIN, as by a host that goes down in order
	Reset               // both ends get RST, as by a firewall that forgot the connection
	Mute                // bytes vanish from now on and nobody is told: a pulled cable
)

// Weather is how bytes pass. The zero value is a network in good health.
type Weather struct {
	Latency time.Duration // one way
	Slice   int           // bytes at most that are written at once; 0 is any number
	Rate    int           // bytes in a second, each way; 0 is any number
}

// Cut ends a connection after exactly so many bytes in one direction.
type Cut struct {
	After int64
	Up    bool // the client's bytes are counted; otherwise the host's
	How   Ending
}

// Proxy stands in front of one address.
type Proxy struct {
	to       string
	listener net.Listener
	wait     sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	weather Weather
	each    *Cut // of every connection
	next    *Cut // of the next one alone
	lines   map[*line]struct{}
	newest  *line
	struck  int           // cuts that were made
	taken   int           // connections that are not over
	idle    chan struct{} // closed when there are none; nil while nobody waits for that
}

// Listen stands in front of an address, on a port of its own of the loopback.
func Listen(to string) (*Proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("cannot listen in front of %s: %w", to, err)
	}
	p := &Proxy{to: to, listener: listener, lines: map[*line]struct{}{}}
	p.wait.Go(p.accept)
	return p, nil
}

// Addr is where clients connect to.
func (p *Proxy) Addr() *net.TCPAddr { return p.listener.Addr().(*net.TCPAddr) }

// Turn changes the weather, for the connections that there are and those to come.
func (p *Proxy) Turn(w Weather) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.weather = w
}

// CutNext has the next connection cut, and those after it not.
func (p *Proxy) CutNext(c Cut) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next = &c
}

// CutEach has every connection from now on cut; nil none.
func (p *Proxy) CutEach(c *Cut) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.each, p.next = c, nil
}

// End ends the connections that there are, and says how many these were.
func (p *Proxy) End(how Ending) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.lines {
		l.end(how)
	}
	return len(p.lines)
}

// Passed is how many bytes of the client's and of the host's the newest connection has carried.
func (p *Proxy) Passed() (up, down int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.newest == nil {
		return 0, 0
	}
	return p.newest.up.passed.Load(), p.newest.down.passed.Load()
}

// Cuts is how many connections were cut since the proxy was made.
func (p *Proxy) Cuts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.struck
}

func (p *Proxy) strike() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.struck++
}

// Close ends all connections, and returns when nothing is left of them.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	for l := range p.lines {
		l.shut()
	}
	p.mu.Unlock()
	_ = p.listener.Close()
	p.wait.Wait()
}

// Idle waits until both sides of every connection have closed it. The end of ctx is an error.
func (p *Proxy) Idle(ctx context.Context) error {
	p.mu.Lock()
	if p.taken == 0 {
		p.mu.Unlock()
		return nil
	}
	if p.idle == nil {
		p.idle = make(chan struct{})
	}
	idle := p.idle
	p.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("a connection was not closed: %w", context.Cause(ctx))
	}
}

// count keeps the number of connections that are not over.
func (p *Proxy) count(change int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken += change; p.taken == 0 && p.idle != nil {
		close(p.idle)
		p.idle = nil
	}
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.count(+1)
		p.wait.Go(func() {
			defer p.count(-1)
			p.serve(client.(*net.TCPConn))
		})
	}
}

// serve is one connection from accept to end.
func (p *Proxy) serve(client *net.TCPConn) {
	host, err := net.Dial("tcp", p.to)
	if err != nil {
		_ = client.Close()
		return
	}
	l := p.open(client, host.(*net.TCPConn))
	if l == nil {
		return
	}
	l.run()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.lines, l)
}

// open makes a line of two connections; nil, and both closed, where the proxy is closing.
func (p *Proxy) open(client, host *net.TCPConn) *line {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		_, _ = client.Close(), host.Close()
		return nil
	}
	cut := p.each
	if p.next != nil {
		cut, p.next = p.next, nil
	}
	l := newLine(client, host, cut, p.now, p.strike)
	p.lines[l], p.newest = struct{}{}, l
	return l
}

func (p *Proxy) now() Weather {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.weather
}
