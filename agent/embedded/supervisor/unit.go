package supervisor

import (
	"crypto/rand"
	"encoding/hex"
	"sync"
	"syscall"
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
	return u.state
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

// start begins a new invocation; its answer is the result of the start job. As with
// Type=simple, "done" says only that there was something to fork.
func (u *unit) start() string {
	if u.limited(time.Now()) {
		u.state.Result = "start-limit-hit"
		u.enter("failed", "failed")
		return "failed"
	}
	u.state.Invocation = newInvocation()
	u.state.Result, u.state.ExitKind, u.state.ExitCode = "success", "", 0
	p, err := spawn(u.definition, u.log)
	u.state.Started = time.Now()
	if err != nil {
		u.running.Go(func() { u.log([]byte("cannot start: " + err.Error())) }) // not under the lock
		u.ended(exit{"exited", exitExec})
		return "done"
	}
	u.process = p
	u.state.MainPID = uint32(p.pid())
	u.enter("active", "running")
	u.running.Go(func() { u.reap(p) })
	return "done"
}

// limited counts this start and says whether it is one too many.
func (u *unit) limited(now time.Time) bool {
	burst, interval := u.definition.StartLimitBurst, u.definition.StartLimitInterval
	if burst <= 0 || interval <= 0 {
		return false
	}
	var recent []time.Time
	for _, t := range u.starts {
		if now.Sub(t) < interval {
			recent = append(recent, t)
		}
	}
	u.starts = recent
	if len(recent) >= burst {
		return true
	}
	u.starts = append(u.starts, now)
	return false
}

// stop asks the process to end; after TimeoutStop it is made to.
func (u *unit) stop() {
	if u.state.Active == "deactivating" {
		return
	}
	u.process.signal(syscall.SIGTERM)
	u.enter("deactivating", "stop-sigterm")
	if u.definition.TimeoutStop > 0 {
		u.after(u.definition.TimeoutStop, func() {
			u.state.Result = "timeout"
			u.process.signal(syscall.SIGKILL)
			u.enter("deactivating", "stop-sigkill")
		})
	}
}

func (u *unit) kill(p *process) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.process == p {
		p.signal(syscall.SIGKILL)
	}
}

func (u *unit) reap(p *process) {
	e := p.wait()
	u.mu.Lock()
	defer u.mu.Unlock()
	u.ended(e)
}

// ended follows the end of a process: by itself, because it was told to, or because it never began.
func (u *unit) ended(e exit) {
	told := u.state.Active == "deactivating"
	u.process = nil
	u.state.MainPID = 0
	u.state.ExitKind, u.state.ExitCode = e.kind, e.code
	if u.state.Result == "success" {
		u.state.Result = e.result()
	}
	switch {
	case u.state.Result == "success":
		u.enter("inactive", "dead")
	case told || !u.definition.Restart || u.closed:
		u.enter("failed", "failed")
	default:
		u.enter("activating", "auto-restart")
		u.after(u.definition.RestartSec, func() {
			u.state.Restarts++
			u.start()
		})
	}
	if j := u.job; j != nil {
		u.job = nil
		u.state.Restarts = 0
		j.finish(u.start())
	}
}

func (u *unit) cancelJob() {
	if u.job != nil {
		u.job.finish("canceled")
		u.job = nil
	}
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

func newInvocation() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails, crypto/rand says
	return hex.EncodeToString(id[:])
}
