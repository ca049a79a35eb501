package agentclient

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/hosttext"
	"github.com/re-connect/rpctl/proto"
)

// eventsHeld is how many events of a call may wait to be heard; a hostile one is up to 1 MiB long.
const eventsHeld = 8

// call is a request that has no answer yet.
type call struct {
	id     int64
	op     proto.Op
	events chan proto.Event
	gone   chan struct{} // closed when nobody waits for events any more
}

// Call asks for one operation and waits for its answer. args may be nil; result is
// decoded into, or nil; on, where not nil, hears of the events before the answer, in
// order, on the goroutine of Call; an output's Raw is good for the time of on.
// A host's refusal is an *exit.Error that wraps the *proto.Error; a connection lost on the way is a *LostError: the outcome is unknown.
// When ctx ends, the agent is asked to stop and Call returns within CancelWithin; the
// answer counts if it comes in time.
func (c *Client) Call(ctx context.Context, op proto.Op, args, result any, on func(proto.Event)) error {
	raw, err := encodeArgs(op, args)
	if err != nil {
		return err
	}
	request, err := c.submit(ctx, op, raw)
	if err != nil {
		return err
	}
	defer close(request.gone)
	if on == nil {
		on = func(proto.Event) {}
	}
	answer, err := c.await(ctx, request, on)
	if err != nil {
		return err
	}
	return c.accept(ctx, op, answer, result)
}

// encodeArgs leaves room in the line for the request around the args.
func encodeArgs(op proto.Op, args any) (json.RawMessage, error) {
	if args == nil {
		return nil, nil
	}
	raw, err := json.Marshal(args)
	if err != nil {
		return nil, fmt.Errorf("cannot encode the arguments of %s: %w", op, err)
	}
	const around = 4096
	if len(raw) > proto.MaxLine-around {
		return nil, &exit.Error{Code: exit.BadInput, Message: fmt.Sprintf("cannot ask for %s: its arguments are longer than the protocol allows", op)}
	}
	return raw, nil
}

// submit gives the request its id and queues it.
func (c *Client) submit(ctx context.Context, op proto.Op, args json.RawMessage) (*call, error) {
	if ctx.Err() != nil {
		return nil, c.interrupted(ctx, string(op))
	}
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return nil, c.interrupted(ctx, string(op))
	}
	request, line, err := c.register(op, args)
	if err != nil {
		return nil, err
	}
	select {
	case c.outgoing <- line:
		return request, nil
	case <-c.broken:
		return nil, c.failed(string(op))
	case <-c.closed:
		return nil, errClosed
	case <-ctx.Done():
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.pending, request.id) // it never went out
		return nil, c.interrupted(ctx, string(op))
	}
}

// register makes the request known to receive before it can be answered.
func (c *Client) register(op proto.Op, args json.RawMessage) (*call, proto.Line, error) {
	version := proto.Version // before the greeting there is nothing to agree on
	select {
	case <-c.closed:
		return nil, proto.Line{}, errClosed
	case <-c.broken:
		return nil, proto.Line{}, c.failed(string(op))
	case <-c.greeted:
		version = c.common
	default:
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastID++
	request := &call{id: c.lastID, op: op, events: make(chan proto.Event, eventsHeld), gone: make(chan struct{})}
	c.pending[request.id] = request
	return request, proto.Line{Request: proto.Request{
		ID: request.id, Protocol: version, Op: op,
		Environment: c.options.Environment, Operator: c.options.Operator, Args: args,
	}}, nil
}

// await passes events on until the answer comes or nothing can come any more.
func (c *Client) await(ctx context.Context, request *call, on func(proto.Event)) (proto.Event, error) {
	cancelled := ctx.Done()
	var patience <-chan time.Time
	for {
		select {
		case event := <-request.events:
			if isAnswer(event) {
				return event, nil
			}
			on(event)
			c.heard(event)
		case <-cancelled:
			cancelled = nil
			c.askToCancel(request)
			timer := time.NewTimer(c.options.CancelWithin)
			defer timer.Stop()
			patience = timer.C
		case <-patience:
			return proto.Event{}, c.interrupted(ctx, string(request.op))
		case <-c.closed:
			return proto.Event{}, errClosed
		case <-c.broken:
			return c.lastWords(ctx, request, on)
		}
	}
}

// lastWords is what had come for a request before the conversation broke.
func (c *Client) lastWords(ctx context.Context, request *call, on func(proto.Event)) (proto.Event, error) {
	for {
		select {
		case event := <-request.events:
			if isAnswer(event) {
				return event, nil
			}
			on(event)
			c.heard(event)
		default:
			if ctx.Err() != nil {
				return proto.Event{}, c.interrupted(ctx, string(request.op))
			}
			return proto.Event{}, c.failed(string(request.op))
		}
	}
}

// askToCancel does what it can: a host that does not read cannot be asked.
func (c *Client) askToCancel(request *call) {
	select {
	case c.outgoing <- proto.Line{Cancel: request.id}:
	default:
	}
}

// accept turns the answer into a result or an error.
func (c *Client) accept(ctx context.Context, op proto.Op, answer proto.Event, result any) error {
	if answer.Event == proto.EventError {
		if answer.Error.Code == proto.CodeCancelled && ctx.Err() != nil {
			return c.cancelConfirmed(ctx, op, answer.Error)
		}
		return c.refusal(answer.Error)
	}
	if result == nil {
		return nil
	}
	if err := hosttext.Decode(answer.Result, result); err != nil {
		return c.notProtocol("its answer cannot be read", answer.Result)
	}
	return nil
}

func isAnswer(event proto.Event) bool {
	return event.Event == proto.EventDone || event.Event == proto.EventError
}
