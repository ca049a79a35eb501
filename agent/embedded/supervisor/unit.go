package supervisor

import (
	"sync"
	"time"

	"github.com/re-connect/rpctl/agent/internal/units"
)

// job is a restart that waits for the old process to end. result may be read once done is closed.
type job struct {
	done   chan struct{}
	result string
}

func (j *job) finish(result string) {
	j.result = result
	close(j.done)
}

// unit is the state machine of one service. What the Supervisor calls (restart, halt, reset,
// close, snapshot, watch) takes the lock; all else expects it to be held.
type unit struct {
	definition Definition
	log        func([]byte)

	mu      sync.Mutex
	state   units.State
	process *process // nil when none runs
	job     *job     // nil when none waits
	starts  []time.Time
	turn    int // counts states: a timer that was set in an earlier one does nothing
	watches map[*watch]struct{}
	closed  bool
	running sync.WaitGroup
}

func newUnit(d Definition, log func(string, []byte)) *unit {
	u := &unit{definition: d, watches: map[*watch]struct{}{}, log: func([]byte) {}}
	if log != nil {
		u.log = func(line []byte) { log(d.Name, line) }
	}
	u.state = units.State{Unit: d.Name, Load: "loaded", Active: "inactive", Sub: "dead", Result: "success"}
	if d.Masked {
		u.state.Load = "masked"
		return u
	}
	u.state.TimeoutStop = d.TimeoutStop
	u.state.Paths = d.paths()
	return u
}

func (u *unit) snapshot() units.State {
	u.mu.Lock()
	defer u.mu.Unlock()
	now := u.state
	if u.process != nil {
		now.Worked, now.Waited = processorTime(u.process.pid())
	}
	return now
}

// restart gives a job that ends when the unit was started again; one that waits already is joined.
func (u *unit) restart() *job {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.job != nil {
		return u.job
	}
	j := &job{done: make(chan struct{})}
	switch {
	case u.closed:
		j.finish("canceled")
	case u.process == nil:
		u.state.Restarts = 0
		j.finish(u.start())
	default:
		u.job = j
		u.stop()
	}
	return j
}

// halt stops the unit; it cancels a restart that waits, as a stop job does.
func (u *unit) halt() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.bringDown()
}

func (u *unit) bringDown() {
	u.cancelJob()
	switch {
	case u.process != nil:
		u.stop()
	case u.state.Active == "activating":
		u.enter("inactive", "dead")
	}
}

func (u *unit) reset() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.starts = nil
	u.state.Restarts = 0
	u.state.Result = "success"
	if u.state.Active == "failed" {
		u.enter("inactive", "dead")
	}
}

// close stops the unit for good and waits until its process is gone.
func (u *unit) close(grace time.Duration) {
	u.mu.Lock()
	u.closed = true
	u.bringDown()
	p := u.process
	u.mu.Unlock()
	if p != nil {
		timer := time.AfterFunc(grace, func() { u.kill(p) })
		defer timer.Stop()
	}
	u.running.Wait()
}

// enter shows a new state to whoever watches.
func (u *unit) enter(active, sub string) {
	u.turn++
	u.state.Active, u.state.Sub, u.state.Changed = active, sub, time.Now()
	for w := range u.watches {
		w.add(u.state)
	}
}

// after does something if the unit is still in this state when the time has come.
func (u *unit) after(wait time.Duration, do func()) {
	turn := u.turn
	time.AfterFunc(wait, func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		if u.turn == turn && !u.closed {
			do()
		}
	})
}
