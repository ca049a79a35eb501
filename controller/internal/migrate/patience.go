package migrate

import (
	"errors"
	"time"

	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/fleet"
)

// How a lost connection is made again: at first at once, then ever more slowly, and
// for so long after the last word of the host as a reboot or a train tunnel may take.
const (
	firstWait   = time.Second
	longestWait = 15 * time.Second
	giveUpAfter = 10 * time.Minute
)

// patience says how long to wait before the next try.
type patience struct {
	now   func() time.Time
	since time.Time // of the last word of the host
	wait  time.Duration
}

func newPatience(now func() time.Time) *patience { return &patience{now: now, since: now()} }

// heard says that the host has spoken.
func (p *patience) heard() { p.since, p.wait = p.now(), 0 }

// next is the time to wait, or false when it was enough.
func (p *patience) next() (time.Duration, bool) {
	p.wait = min(max(2*p.wait, firstWait), longestWait)
	return p.wait, p.now().Sub(p.since)+p.wait <= giveUpAfter
}

// lost says that an answer may still come by asking again: the host was not reached,
// or the connection ended first.
func lost(err error) bool {
	return err != nil && (errors.Is(err, fleet.ErrLost) || exit.From(err).Code == exit.Unreachable)
}
