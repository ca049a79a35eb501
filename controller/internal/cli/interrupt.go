package cli

import (
	"context"
	"os"
	"time"

	"github.com/re-connect/rpctl/controller/internal/exit"
)

// lastGrace is what a second Ctrl-C leaves to all but the local commands, which are killed. killTime bounds the
// wait for their end: a deploy command must not go on after rpctl, on a machine that is busy either.
const (
	lastGrace = 300 * time.Millisecond
	killTime  = 10 * time.Second
)

// interruptible ends the context at the first signal, and the process at the second. A Ctrl-C
// that somebody waits for ends nothing; a closed terminal (SIGHUP) cannot be asked.
func (a *app) interruptible() (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-done:
				return
			case signal := <-a.Signals:
				if signal == os.Interrupt && a.asked() {
					continue
				}
			}
			if ctx.Err() == nil {
				cancel()
				continue
			}
			select {
			case <-done:
				return
			case <-a.hurry.Kill():
			case <-time.After(killTime):
			}
			select {
			case <-done:
				return
			case <-time.After(lastGrace):
			}
			a.restore()
			a.Exit(int(exit.Interrupted))
			return
		}
	}()
	return ctx, func() { close(done); cancel() }
}

// asked says whether somebody waits for a Ctrl-C, who has it then.
func (a *app) asked() bool {
	a.listenMu.Lock()
	defer a.listenMu.Unlock()
	select {
	case a.listener <- struct{}{}: // never ready where it is nil
		return true
	default:
		return false
	}
}

// interrupted gives the next Ctrl-C to who asks for it, until it is told to stop.
func (a *app) interrupted() (next <-chan struct{}, stop func()) {
	a.listenMu.Lock()
	defer a.listenMu.Unlock()
	a.listener = make(chan struct{}, 1)
	return a.listener, func() {
		a.listenMu.Lock()
		defer a.listenMu.Unlock()
		a.listener = nil
	}
}

// restore leaves the terminal as it was. One that takes nothing (Ctrl-S, a pager that reads no
// further) holds the view in a write: it is not waited for.
func (a *app) restore() {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		a.closeView()
	}()
	select {
	case <-closed:
	case <-time.After(lastGrace):
	}
	if a.Restore != nil {
		a.Restore()
	}
}
