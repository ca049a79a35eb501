package connect

import (
	"sync"
	"time"
)

// patience ends a handshake that takes too long. While a person may be asked something
// (a passphrase, a touch on a key), humanPause is added, once at a time.
type patience struct {
	mu    sync.Mutex
	timer *time.Timer
	until time.Time
	over  bool // it has run out
	done  bool
}

// humanPause is as long as sshd waits for a login by default (LoginGraceTime in sshd_config(5)).
const humanPause = 2 * time.Minute

func newPatience(within time.Duration, expire func()) *patience {
	p := &patience{until: time.Now().Add(within)}
	p.timer = time.AfterFunc(within, func() {
		p.mu.Lock()
		expired := !p.done
		p.over = expired
		p.mu.Unlock()
		if expired {
			expire()
		}
	})
	return p
}

// human stops the clock, for humanPause at most, until the returned function is called.
func (p *patience) human() (back func()) {
	began := time.Now()
	p.shift(humanPause)
	return func() { p.shift(time.Since(began) - humanPause) }
}

func (p *patience) shift(by time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.until = p.until.Add(by)
	if !p.done && !p.over {
		p.timer.Reset(time.Until(p.until))
	}
}

// end stops the clock for good; false when it had run out.
func (p *patience) end() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done = true
	p.timer.Stop()
	return !p.over
}

func (p *patience) expired() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.over
}
