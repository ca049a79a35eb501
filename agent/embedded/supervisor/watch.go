package supervisor

import (
	"sync"

	"github.com/re-connect/rpctl/agent/internal/units"
)

// keptStates is how many states a watch keeps for a reader that is busy.
const keptStates = 64

// watch gathers the states that a unit goes through until they are taken.
type watch struct {
	wake chan struct{} // holds one token when there is something to take

	mu     sync.Mutex
	states []units.State
}

func (w *watch) add(state units.State) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.states = append(w.states, state)
	w.states = w.states[max(0, len(w.states)-keptStates):]
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *watch) take() []units.State {
	w.mu.Lock()
	defer w.mu.Unlock()
	states := w.states
	w.states = nil
	return states
}

func (u *unit) watch() *watch {
	w := &watch{wake: make(chan struct{}, 1)}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.watches[w] = struct{}{}
	return w
}

func (u *unit) unwatch(w *watch) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.watches, w)
}
