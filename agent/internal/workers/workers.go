// Package workers knows which worker instances ought to run on this host, restarts
// them, and proves which code they run.
//
// A restart job that systemd calls done proves nothing: the worker may have crashed
// since, or its old process may have been killed in the middle of a message. So a
// restart notes the invocation that it left, and a verification finds the same one
// again, alive, after the settle time; started through `current`, after the switch.
package workers

import (
	"context"
	"sync"

	"github.com/re-connect/rpctl/agent/internal/units"
	"github.com/re-connect/rpctl/proto"
)

// MaxUnits is how many units or patterns one request may name (PROTOCOL.md, "Limits").
const MaxUnits = 256

// Releases tells of the application's releases; release.Layout does.
type Releases interface {
	// Current is the release that `current` names.
	Current() (proto.Release, error)
	// Starts is nil when what a unit starts (units.State.Paths) comes through
	// `current`, else it says why one cannot know which release that is.
	Starts(paths []string) error
}

// Tailer reads the last n lines of a unit, oldest first; package journal does.
type Tailer interface {
	Tail(ctx context.Context, unit string, n int) ([]proto.LogLine, error)
}

// Service is the workers of one host. Its methods may be used at the same time.
type Service struct {
	Units   units.Manager
	Release Releases
	Journal Tailer // nil where there is none: verdicts then come without lines
	// Patterns are the host's own (agent.toml), in the order of the file.
	Patterns []proto.UnitPattern
}

// each runs do for 0 to n-1, at most limit at the same time (0: all), and waits for all.
func each(n, limit int, do func(i int)) {
	if limit <= 0 || limit > n {
		limit = n
	}
	var group sync.WaitGroup
	slots := make(chan struct{}, limit)
	for i := range n {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			do(i)
		})
	}
	group.Wait()
}

// emitter lets several units tell of themselves through one function, one at a time.
type emitter struct {
	mu   sync.Mutex
	emit func(proto.UnitProgress)
}

func (e *emitter) tell(p proto.UnitProgress) {
	if e.emit == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.emit(p)
}

func cancelled(what string) error {
	return &proto.Error{Code: proto.CodeCancelled, Message: proto.HostText(what + " was cancelled"), Advice: proto.Advice{Code: proto.AdviceHostStatus}}
}
