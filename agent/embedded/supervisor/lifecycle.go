package supervisor

import (
	"crypto/rand"
	"encoding/hex"
	"syscall"
	"time"
)

// All of this expects the unit's lock to be held, but for reap and kill, which take it.

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
		u.after(u.definition.RestartDelay, func() {
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

func newInvocation() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails, crypto/rand says
	return hex.EncodeToString(id[:])
}
