package local

import "sync"

// Hurry ends the grace of the commands that run with it, and reports when they are gone. A nil Hurry ends none.
type Hurry struct {
	now     chan struct{}
	running sync.RWMutex // held for reading by each command that runs
}

// NewHurry returns a Hurry that leaves all grace until Kill.
func NewHurry() *Hurry { return &Hurry{now: make(chan struct{})} }

// Kill has the commands killed, once. The channel that it returns is closed when all have ended; none begins any more.
func (h *Hurry) Kill() (gone <-chan struct{}) {
	close(h.now)
	ended := make(chan struct{})
	go func() {
		h.running.Lock()
		close(ended)
	}()
	return ended
}

// begin counts a command until end is called.
func (h *Hurry) begin() (end func()) {
	if h == nil {
		return func() {}
	}
	h.running.RLock()
	return h.running.RUnlock
}

func (h *Hurry) ended() <-chan struct{} {
	if h == nil {
		return nil
	}
	return h.now
}
