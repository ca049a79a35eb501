// Package session serves one connection to the agent, as PROTOCOL.md says: it
// greets, reads requests, decides who may do what, and answers in order.
//
// One goroutine reads: pings, cancels and the bridge's line take effect at once,
// requests wait in a queue. The caller's goroutine (Serve) answers them.
//
// There are three ways in which a connection comes to an end, and each stops
// something else. When its input ends, what was asked is still answered, but
// nothing is followed any longer. When it is lost (nobody reads the answers, or the
// caller was silent too long), reading is given up and changes are finished. When
// the process is told to stop, everything is.
package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/re-connect/rpctl/agent/internal/audit"
	"github.com/re-connect/rpctl/agent/internal/lease"
	"github.com/re-connect/rpctl/agent/internal/peer"
	"github.com/re-connect/rpctl/proto"
)

// maxWaiting is how many requests may wait for their turn.
const maxWaiting = 64

// maxWaitingBytes is how many bytes the args of all that waits may have: four lines as long as they can be.
const maxWaitingBytes = 4 * proto.MaxLine

// maxRefusals is how many refused changes end a connection: each is a line of the audit, and whoever
// may only look must not be able to fill the disk with them at the speed of a loop.
const maxRefusals = 16

type session struct {
	host   Host
	caller peer.Caller
	conn   io.ReadWriteCloser
	out    *proto.Writer
	audit  *audit.Log

	stop  context.Context // ends when the process must stop
	reach context.Context // ends when the connection is lost, too
	input context.Context // ends when nothing more will be read, too
	lose  context.CancelCauseFunc
	eof   context.CancelFunc

	queue chan item

	mu      sync.Mutex
	bridge  proto.Bridge
	cancels map[int64]context.CancelCauseFunc
	watch   *time.Timer
	watched int  // reasons to hear from the caller often: the lease, a follow
	holds   bool // the lease is one of them
	asked   bool // a request has come
	waiting int  // bytes of what was begun and is not answered

	// What follows belongs to Serve's goroutine.
	lease    *lease.Lease
	leased   proto.AuditEntry // the entry of the lease, while it is held
	recorded bool
	refusals int // changes that were refused and noted
}

// Serve speaks with caller over conn until either side ends it, and closes conn. The error says how a
// connection was lost, for the host's log; the ends that PROTOCOL.md foresees are none.
// A change that has begun when the connection is lost is finished and recorded before Serve returns.
func Serve(ctx context.Context, conn io.ReadWriteCloser, caller peer.Caller, host Host) error {
	s := newSession(ctx, conn, caller, host)
	defer s.end()
	if !s.greet() {
		return nil
	}
	if err := s.audit.TellRefused(); err != nil {
		s.log(err)
	}
	go s.read()
	for {
		select {
		case next, open := <-s.queue:
			if !open || s.reach.Err() != nil || !s.answer(next) {
				return s.lostWhy()
			}
			s.heard()
		case <-s.reach.Done():
			return s.lostWhy()
		}
	}
}

func newSession(ctx context.Context, conn io.ReadWriteCloser, caller peer.Caller, host Host) *session {
	s := &session{
		host: host, caller: caller, conn: conn, out: proto.NewWriter(conn), audit: audit.New(host.State).By(host.Now).Copying(host.CopyAudit),
		stop: ctx, queue: make(chan item, maxWaiting+1), cancels: map[int64]context.CancelCauseFunc{},
	}
	s.reach, s.lose = context.WithCancelCause(ctx)
	s.input, s.eof = context.WithCancel(s.reach)
	// A reader or a writer that waits for the peer is freed by closing the connection, by nothing else.
	context.AfterFunc(s.reach, func() { _ = conn.Close() })
	s.watch = time.AfterFunc(s.patience(), s.silent)
	if host.Crowded != nil {
		life := time.AfterFunc(crowdedLife, s.silent)
		context.AfterFunc(s.reach, func() { life.Stop() })
	}
	return s
}

// end gives the host back and frees what Serve held.
func (s *session) end() {
	s.dropLease()
	s.watch.Stop()
	s.lose(nil)
	_ = s.conn.Close() // now, and not when AfterFunc gets to it
}

// ErrLost is an end of a connection that PROTOCOL.md does not foresee: the caller went away, or was cut off.
var ErrLost = errors.New("lost")

// crowdedLife bounds a connection that has a reserved place: others need it next.
const crowdedLife = 30 * time.Second

var (
	errSilent    = errors.New("the caller said nothing for too long")
	errCancelled = errors.New("cancelled by the caller")
)

func (s *session) lostWhy() error {
	cause := context.Cause(s.reach)
	if cause == nil || s.stop.Err() != nil {
		return nil
	}
	return fmt.Errorf("connection of %s %w: %w", s.caller.User, ErrLost, cause)
}

// patience is how long the caller may say nothing. mu is held, or nobody else has s yet. A caller
// who was greeted and wants nothing is not kept: the socket has a bounded number of places.
func (s *session) patience() time.Duration {
	switch {
	case s.watched > 0:
		return cmp.Or(s.host.Silence, DefaultSilence)
	case !s.asked:
		return min(DefaultSilence, cmp.Or(s.host.Idle, DefaultIdle))
	}
	return cmp.Or(s.host.Idle, DefaultIdle)
}

// heard starts the caller's time anew.
func (s *session) heard() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watch.Reset(s.patience())
}

// setHolds notes whether the connection holds the lease, which the caller then needs the right to act for.
func (s *session) setHolds(holds bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holds = holds
}

// watchClosely counts one more (+1) or one less (-1) reason to hear from the caller often.
func (s *session) watchClosely(change int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watched += change
	s.watch.Reset(s.patience())
}

func (s *session) now() time.Time {
	if s.host.Now != nil {
		return s.host.Now()
	}
	return time.Now()
}

// whileWatched is a context for what the caller follows: it ends with the caller's input, too, and the
// caller is expected to be heard often until end is called.
func (s *session) whileWatched(ctx context.Context) (watched context.Context, end func()) {
	watched, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.input, cancel)
	s.watchClosely(+1)
	return watched, func() {
		stop()
		cancel()
		s.watchClosely(-1)
	}
}

func (s *session) silent() { s.lose(errSilent) }

// event writes one event. One that cannot be written means that nobody reads any more. What the other side
// would refuse to read, which ends the connection there, is not sent, and the host's log says so.
func (s *session) event(event any) {
	if s.reach.Err() != nil {
		return
	}
	line, err := fit(event, 0, 0)
	if err != nil {
		s.log(fmt.Errorf("an event was not sent to %s: %w", s.caller.User, err))
		return
	}
	if err := s.out.Write(line); err != nil {
		s.lose(err)
	}
}

func (s *session) log(err error) {
	if s.host.Log != nil {
		s.host.Log(err)
	}
}
