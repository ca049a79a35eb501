package session

import (
	"context"
	"errors"
	"io"

	"github.com/re-connect/rpctl/proto"
)

// item is a line that waits for its answer.
type item struct {
	ctx     context.Context
	request proto.Request
	refused *proto.Error // the line cannot be served
	last    bool         // and the connection ends after it: nothing that follows can be believed
}

// read takes lines until the input ends. It never waits for an answer, so that
// pings and cancels are heard at any time.
func (s *session) read() {
	defer s.eof()
	defer close(s.queue)
	lines := proto.NewReader(s.conn)
	var newest int64 // id of the last request
	for first := true; ; first = false {
		data, err := lines.ReadLine()
		if err != nil {
			s.inputEnded(err)
			return
		}
		s.heard()
		if !s.stillMay() {
			s.lose(errBarred)
			return
		}
		line, refused := parse(data)
		switch {
		case refused != nil && refused.fatal:
		case line.Ping:
			continue
		case line.Cancel > 0:
			s.cancel(line.Cancel)
			continue
		case line.Bridge != nil && first:
			s.setBridge(*line.Bridge)
			continue
		case line.Bridge != nil:
			refused = fatal("the bridge speaks first or not at all")
		case line.ID <= newest:
			refused = fatal("request %d comes after request %d: ids must rise", line.ID, newest)
		case len(s.queue) >= maxWaiting:
			refused = fatal("more than %d requests are waiting", maxWaiting)
		}
		if !s.enqueue(line.Request, refused) {
			return
		}
		newest = line.ID
	}
}

// enqueue puts a line in the queue, and says whether to read on. The queue has one place more
// than requests may wait, for the refusal that ends the connection.
func (s *session) enqueue(request proto.Request, refused *refusal) bool {
	next := item{request: request}
	if refused != nil {
		next.refused, next.last = refused.why, refused.fatal
	}
	if next.last {
		next.request.ID = 0
		s.queue <- next
		return false
	}
	if len(s.queue) >= maxWaiting { // a refused line that waits, too
		return s.enqueue(request, fatal("more than %d requests are waiting", maxWaiting))
	}
	if !s.weigh(len(request.Args)) {
		return s.enqueue(proto.Request{}, fatal("more than %d bytes of requests are waiting", maxWaitingBytes))
	}
	next.ctx = s.begin(request)
	s.queue <- next
	return true
}

// begin is the context of a request, from the moment that it waits: a change outlives the connection.
func (s *session) begin(request proto.Request) context.Context {
	parent := s.reach
	if operations[request.Op].right == act {
		parent = s.stop
	}
	ctx, cancel := context.WithCancelCause(parent)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancels[request.ID] = cancel
	s.asked = true
	s.watch.Reset(s.patience())
	return ctx
}

// weigh counts the bytes of a request that waits, and says whether they still fit.
func (s *session) weigh(bytes int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting += bytes
	return s.waiting <= maxWaitingBytes
}

// finish forgets a request that was answered.
func (s *session) finish(id int64, bytes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting -= bytes
	if cancel, ok := s.cancels[id]; ok {
		cancel(nil)
		delete(s.cancels, id)
	}
}

// cancel ends a request that waits or runs; one that was answered is past caring.
func (s *session) cancel(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cancel, ok := s.cancels[id]; ok {
		cancel(errCancelled)
	}
}

func (s *session) setBridge(bridge proto.Bridge) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bridge = bridge
}

// inputEnded tells a caller that is still there what was wrong, or notes that it has gone.
func (s *session) inputEnded(err error) {
	switch {
	case errors.Is(err, io.EOF):
	case errors.Is(err, proto.ErrLineTooLong), errors.Is(err, proto.ErrTruncated):
		s.enqueue(proto.Request{}, fatal("%v", err))
	default:
		s.lose(err)
	}
}
