// Package fleet talks to many hosts at once: bounded, with exactly one result
// for each host, handed over as soon as it comes.
package fleet

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/re-connect/rpctl/proto"
)

// DefaultLimit is how many hosts are dialled at the same time.
const DefaultLimit = 32

// patience is how long a host may hold one of the places. A host that has not answered by
// then goes on waiting without one, so that dead hosts cost one timeout in all
// and not one for each row of them.
const patience = 500 * time.Millisecond

// ErrLost says that a conversation ended before its answer came: what was asked
// may or may not have been done. Agents wrap it.
var ErrLost = errors.New("the connection was lost before the answer came")

// Target is a host as one environment means it.
type Target struct {
	Environment string
	Host        string // OpenSSH alias
}

// Agent is an open conversation with one host's agent. A lease that was taken
// through it lives until Close.
type Agent interface {
	// Hello waits for what the agent says of itself and of its host.
	Hello(ctx context.Context) (proto.Hello, error)
	// Call asks for one operation and returns when its answer is whole. result may be nil; on,
	// which may be nil too, gets the events in between, one after the other. When ctx
	// ends, Call asks the agent to stop and returns soon after.
	Call(ctx context.Context, op proto.Op, args, result any, on func(proto.Event)) error
	// Close ends the conversation, and with it what it held. It may be called twice.
	Close() error
}

// Fleet dials hosts.
type Fleet struct {
	// Dial connects; it need not wait for the greeting. It ends when ctx does, and the agent that
	// it returns outlives ctx.
	Dial func(ctx context.Context, target Target) (Agent, error)
	// Limit bounds how many dials run at once; 0 means DefaultLimit.
	Limit int
	// Timeout bounds one dial, and the greeting where it is waited for; 0 means that only ctx does.
	Timeout time.Duration
}

// Result is what came of one host.
type Result[T any] struct {
	Target Target
	Value  T
	Err    error
	Took   time.Duration
}

// Greeted is an agent that has said what it is.
type Greeted struct {
	Agent Agent
	Hello proto.Hello
}

// Connect dials all targets, waits for their greetings, and returns one result for each, in
// their order. The caller closes every agent that it gets. arrived may be nil.
func (f *Fleet) Connect(ctx context.Context, targets []Target, arrived func(Result[Greeted])) []Result[Greeted] {
	one := func(ctx context.Context, target Target) (Greeted, error) {
		ctx, cancel := f.bounded(ctx)
		defer cancel()
		agent, err := f.Dial(ctx, target)
		if err != nil {
			return Greeted{}, err
		}
		hello, err := agent.Hello(ctx)
		if err != nil {
			_ = agent.Close() // its failure is told already
			return Greeted{}, err
		}
		return Greeted{agent, hello}, nil
	}
	return Each(ctx, f.limit(), targets, one, arrived)
}

// Ask dials each target, asks it for one operation, and closes again.
func Ask[T any](ctx context.Context, f *Fleet, targets []Target, op proto.Op, args any, arrived func(Result[T])) []Result[T] {
	one := func(ctx context.Context, target Target) (answer T, err error) {
		dialling, cancel := f.bounded(ctx)
		defer cancel()
		agent, err := f.Dial(dialling, target)
		if err != nil {
			return answer, err
		}
		defer func() { _ = agent.Close() }() // the answer is there; a failing farewell changes nothing
		err = agent.Call(ctx, op, args, &answer, nil)
		return answer, err
	}
	return Each(ctx, f.limit(), targets, one, arrived)
}

func (f *Fleet) limit() int {
	if f.Limit > 0 {
		return f.Limit
	}
	return DefaultLimit
}

// bounded is ctx for one dial.
func (f *Fleet) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if f.Timeout > 0 {
		return context.WithTimeout(ctx, f.Timeout)
	}
	return context.WithCancel(ctx)
}

// Each runs do for all items, at most limit of them in their first half second at the
// same time, and returns one result for each in the order of the items. arrived gets
// the same results in the order in which they come, one after the other; it may be nil.
func Each[T any](ctx context.Context, limit int, targets []Target,
	do func(context.Context, Target) (T, error), arrived func(Result[T]),
) []Result[T] {
	makeRoom(len(targets))
	results := make([]Result[T], len(targets))
	places := make(chan struct{}, limit)
	var wait sync.WaitGroup
	var mu sync.Mutex
	for i, target := range targets {
		places <- struct{}{}
		leave := sync.OnceFunc(func() { <-places })
		wait.Go(func() {
			tired := time.AfterFunc(patience, leave)
			began := time.Now()
			value, err := do(ctx, target)
			tired.Stop()
			leave()
			mu.Lock()
			defer mu.Unlock()
			results[i] = Result[T]{Target: target, Value: value, Err: err, Took: time.Since(began)}
			if arrived != nil {
				arrived(results[i])
			}
		})
	}
	wait.Wait()
	return results
}
