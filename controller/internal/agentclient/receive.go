package agentclient

import (
	"errors"
	"fmt"
	"math"

	"github.com/re-connect/rpctl/controller/internal/hosttext"
	"github.com/re-connect/rpctl/proto"
)

// receive reads the agent's lines until the end and gives each to the request it belongs to.
func (c *Client) receive() {
	lines := proto.NewReader(c.channel.Stdout())
	if err := c.receiveGreeting(lines); err != nil {
		c.fail(err)
		return
	}
	for {
		line, err := lines.ReadLine()
		switch {
		case errors.Is(err, proto.ErrLineTooLong):
			err = c.notProtocol(err.Error(), nil)
		case err != nil:
			err = c.endOfStream(err)
		default:
			err = c.dispatch(line, lines)
		}
		if err != nil {
			c.fail(err)
			return
		}
	}
}

// dispatch hands one event over, or says why the line is none. Events of a kind
// that this code does not know are passed over: a newer agent may send them. The
// bytes that an output event announces are read in any case, or the next line would be lost.
func (c *Client) dispatch(line []byte, lines *proto.Reader) error {
	if proto.Values(line) > proto.MaxAnswerValues {
		return c.notProtocol(fmt.Sprintf("a line has more than %d values", proto.MaxAnswerValues), nil)
	}
	event, problem := readEvent(line)
	if problem != "" {
		return c.notProtocol(problem, line)
	}
	if !known(event.Event) {
		return nil
	}
	if event.Event == proto.EventOutput {
		if err := c.receiveRaw(event.Output, lines); err != nil {
			return err
		}
	}
	if event.ID == 0 && event.Event == proto.EventError { // the agent gives up the connection
		return c.refusal(event.Error)
	}
	request, problem := c.belongsTo(event)
	if problem != "" {
		return c.notProtocol(problem, line)
	}
	select {
	case request.events <- event:
	case <-request.gone:
	case <-c.closed:
	}
	return nil
}

// receiveRaw reads what an output event announces. Of one call at most as many
// outputs are held as its channel has places; then the host waits.
func (c *Client) receiveRaw(output *proto.Output, lines *proto.Reader) error {
	var room []byte
	select {
	case room = <-c.rooms:
	default:
	}
	raw, err := lines.ReadRaw(output.Length, room)
	switch {
	case errors.Is(err, proto.ErrTruncated):
		return c.endOfStream(err)
	case err != nil:
		return c.notProtocol(err.Error(), nil)
	}
	output.Raw = raw
	return nil
}

// heard takes back the room of an output that was shown: those of one call are read into as many as wait,
// one that is shown and one that comes, in turn.
func (c *Client) heard(event proto.Event) {
	if event.Output == nil {
		return
	}
	select {
	case c.rooms <- event.Output.Raw:
	default: // another call's
	}
}

// belongsTo is the request that an event answers; an answer ends it.
func (c *Client) belongsTo(event proto.Event) (request *call, problem string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	request = c.pending[event.ID]
	switch {
	case request == nil && event.ID > 0 && event.ID <= c.lastID:
		return nil, fmt.Sprintf("it answers request %d, which is over", event.ID)
	case request == nil:
		return nil, fmt.Sprintf("it answers request %d, which was not asked", event.ID)
	}
	if isAnswer(event) {
		delete(c.pending, event.ID)
	}
	return request, ""
}

// readEvent decodes one line; problem says why it is no event. Fields that this
// code does not know are passed over.
func readEvent(line []byte) (event proto.Event, problem string) {
	if err := hosttext.Decode(line, &event); err != nil {
		return event, "it sent a line that is no event"
	}
	switch {
	case event.Event == "":
		return event, "it sent a line that is no event"
	case event.Event == proto.EventHello:
		return event, "it greets twice"
	case event.Event == proto.EventError && event.Error == nil,
		event.Event == proto.EventUnit && event.Unit == nil,
		event.Event == proto.EventLog && event.Log == nil,
		event.Event == proto.EventJob && event.Job == nil,
		event.Event == proto.EventOutput && event.Output == nil:
		return event, fmt.Sprintf("it sent an event %q without its content", event.Event)
	case event.Event == proto.EventOutput && !sound(*event.Output):
		return event, "it sent output of no stream or of no place"
	}
	return event, ""
}

// sound says whether an output names one of the two streams and a place in it.
func sound(o proto.Output) bool {
	return (o.Stream == proto.Stdout || o.Stream == proto.Stderr) && o.Offset >= 0 && o.Offset <= math.MaxInt64-proto.MaxOutput
}

func known(kind proto.EventKind) bool {
	switch kind {
	case proto.EventDone, proto.EventError, proto.EventUnit, proto.EventLog, proto.EventJob, proto.EventOutput:
		return true
	}
	return false
}
