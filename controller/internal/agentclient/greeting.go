package agentclient

import (
	"bytes"
	"errors"

	"github.com/re-connect/rpctl/controller/internal/hosttext"
	"github.com/re-connect/rpctl/proto"
)

// greetingStart is how the greeting begins (PROTOCOL.md, "Greeting").
const greetingStart = `{"event":"hello","marker":"` + proto.Marker + `"`

const (
	noiseShown  = 8 << 10       // bytes of a login shell's talk that are shown
	noisePassed = proto.MaxLine // bytes after which no greeting is looked for any more
)

// noise is what stood before the greeting, the first noiseShown bytes of it.
type noise struct {
	lines []string
	kept  int
	seen  int
}

func (n *noise) add(line []byte) {
	n.seen += len(line) + 1
	room := noiseShown - n.kept
	if len(line) == 0 || room <= 0 {
		return
	}
	line = line[:min(len(line), room)]
	n.lines = append(n.lines, string(line))
	n.kept += len(line)
}

// receiveGreeting reads up to the greeting and judges it.
func (c *Client) receiveGreeting(lines *proto.Reader) error {
	greeting, before, err := findGreeting(lines)
	switch {
	case errors.Is(err, errNoisy):
		return c.notProtocol("it prints without end before rp-agent speaks", []byte(first(before.lines)))
	case err != nil:
		return c.endBeforeGreeting(before)
	}
	for _, line := range before.lines {
		c.warn("the login shell prints: " + line)
	}
	c.stderr.greeted()
	return c.judge(greeting)
}

// errNoisy says that a host prints more than noisePassed without a greeting.
var errNoisy = errors.New("no greeting in sight")

// findGreeting passes over what a login shell prints. A shell that prints without a
// newline leaves its text on the greeting's own line, so the marker may stand within one.
func findGreeting(lines *proto.Reader) (greeting []byte, before noise, err error) {
	for before.seen <= noisePassed {
		line, err := lines.ReadLine()
		if at := bytes.Index(line, []byte(greetingStart)); at >= 0 && err == nil {
			if at > 0 {
				before.add(line[:at])
			}
			return line[at:], before, nil
		}
		if len(line) > 0 || err == nil {
			before.add(line)
		}
		if errors.Is(err, proto.ErrLineTooLong) {
			return nil, before, errNoisy
		}
		if err != nil {
			return nil, before, err
		}
	}
	return nil, before, errNoisy
}

// judge decodes the greeting and says whether this agent can be spoken to.
func (c *Client) judge(greeting []byte) error {
	var hello proto.Hello
	if proto.Values(greeting) > proto.MaxAnswerValues || hosttext.Decode(greeting, &hello) != nil {
		return c.notProtocol("its greeting cannot be read", greeting)
	}
	common, spoken := hello.Protocol.Common(proto.Speaks())
	switch {
	case hello.Error != nil:
		return c.refusal(hello.Error)
	case !spoken:
		return c.unspoken()
	}
	c.hello, c.common = hello, common
	close(c.greeted)
	c.acknowledge()
	return nil
}

// acknowledge sends a ping that carries TCP's acknowledgement of the greeting. Without one the
// host's kernel keeps the answer to a first Call back until ours has waited for its delayed
// acknowledgement, 40 ms on Linux: sshd turns Nagle's algorithm off for terminals only.
func (c *Client) acknowledge() {
	select {
	case c.outgoing <- proto.Line{Ping: true}:
	default: // requests are on their way, which do the same
	}
}

func first(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return lines[0]
}
