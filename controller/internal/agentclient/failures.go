package agentclient

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/internal/secret"
	"github.com/re-connect/rpctl/internal/version"
	"github.com/re-connect/rpctl/proto"
)

// excerptShown is how much of a host's own text an error message quotes, in bytes.
const excerptShown = 160

// messageShown is how much of an error of the agent is looked at and shown, in bytes: far above any.
const messageShown = 16 << 10

// excerpt is a host's own text for an error message, made safe, without what looks like a secret.
func excerpt(text string) string {
	const looked = 4 << 10 // a host may send a MiB
	return printable.Excerpt(secret.Mask(text[:min(len(text), looked)]), excerptShown)
}

// LostError says that the connection ended after a request went out and before its
// answer came: nobody knows whether it was done. It unwraps to an *exit.Error of
// code Unreachable, or HostFailed where the agent itself ended; who asked several hosts makes that Partial.
type LostError struct {
	Op      proto.Op
	failure *exit.Error
}

func (e *LostError) Error() string { return e.failure.Error() }

func (e *LostError) Unwrap() error { return e.failure }

// loss is the end of a conversation that had begun; each Call makes its LostError of it.
type loss struct {
	detail string
	code   exit.Code
}

func (l *loss) Error() string { return l.detail }

// failed is what a Call of an operation gets from a broken conversation.
func (c *Client) failed(op string) error {
	c.mu.Lock()
	err := c.failure
	c.mu.Unlock()
	var lost *loss
	if !errors.As(err, &lost) {
		return err
	}
	message := fmt.Sprintf("lost the connection during %s: outcome unknown", op)
	if lost.detail != "" {
		message += " (" + lost.detail + ")"
	}
	return &LostError{Op: proto.Op(op), failure: &exit.Error{
		Code: lost.code, Host: c.options.Host, Message: message, Next: c.next("status"), Err: err,
	}}
}

// hosted names the host in a transport's failure that does not.
func hosted(err error, host string) error {
	var failed *exit.Error
	if !errors.As(err, &failed) || failed.Host != "" {
		return err
	}
	named := *failed
	named.Host = host
	return &named
}

// next is the rpctl command to type for this client's environment.
func (c *Client) next(command string) string {
	if c.options.Environment == "" {
		return "rpctl " + command
	}
	return "rpctl " + command + " --env " + c.options.Environment
}

func (c *Client) fault(code exit.Code, next, format string, args ...any) *exit.Error {
	return &exit.Error{Code: code, Host: c.options.Host, Message: fmt.Sprintf(format, args...), Next: next}
}

// refusal is an error that the agent sent.
func (c *Client) refusal(sent *proto.Error) error {
	sent.Message = sent.Message[:min(len(sent.Message), messageShown)]
	failure := exit.Place{Host: c.options.Host, Environment: c.options.Environment}.Refusal(sent)
	if sent.Code == proto.CodeUnsupported && failure.Next == "" {
		failure.Next = c.next("agent upgrade")
	}
	return failure
}

// notProtocol quotes what a host said instead of the protocol.
func (c *Client) notProtocol(problem string, said []byte) error {
	if len(said) > 0 {
		problem += `: "` + excerpt(string(said)) + `"`
	}
	return c.fault(exit.HostFailed, c.next("doctor"), "does not speak the protocol: %s", problem)
}

// unspoken is the failure of a greeting without a protocol version that this rpctl speaks. The greeting alone
// does not tell why, and its own version is not repeated: what answers may be another program. The next command
// looks at the installed binary as an administrator does.
func (c *Client) unspoken() error {
	ours := proto.Speaks()
	return c.fault(exit.NoAgent, c.next("agent diff"),
		"it greets with no protocol that this rpctl (%s) speaks (%d to %d): its rp-agent is older or newer than this rpctl, or what answers is not rp-agent",
		version.String(), ours.Min, ours.Max)
}

// noGreeting is the failure of a host that takes the command and says nothing.
func (c *Client) noGreeting() error {
	return c.fault(exit.HostFailed, "ssh "+c.options.Host+" "+c.options.Command,
		"no word from rp-agent within %s%s", c.options.GreetingWithin, c.said(c.stderr.last()))
}

// endBeforeGreeting says why a command ended without a greeting.
func (c *Client) endBeforeGreeting(before noise) error {
	status, err := c.exitStatus()
	words := c.stderr.last()
	if words == "" && len(before.lines) > 0 {
		words = before.lines[len(before.lines)-1]
	}
	switch {
	case err != nil:
		return c.fault(exit.Unreachable, "ssh "+c.options.Host+" "+c.options.Command,
			"lost the connection before rp-agent answered%s", c.said(words))
	case status == 127, strings.Contains(strings.ToLower(words), "command not found"):
		return c.fault(exit.NoAgent, c.next("agent install"), "rp-agent is not installed%s", c.said(words))
	case status == 126:
		return c.fault(exit.NoAgent, c.next("agent install"), "rp-agent cannot be executed%s", c.said(words))
	case status == int(exit.Refused): // `rp-agent ssh` before it took the whole path
		return c.fault(exit.NoAgent, c.next("agent upgrade"), "the login may not run %s%s; a forced-command key of an older rp-agent needs an upgrade of the host first",
			c.options.Command, c.said(words))
	default:
		return c.fault(exit.NoAgent, "ssh "+c.options.Host+" "+c.options.Command,
			"no greeting from rp-agent: the command ended with status %d%s", status, c.said(words))
	}
}

// said is a host's own words as the end of a message, or nothing.
func (c *Client) said(words string) string {
	if words == "" {
		return ""
	}
	return `: "` + excerpt(words) + `"`
}

// endOfStream says what can be said of a conversation that ended with err.
func (c *Client) endOfStream(err error) error {
	status, waitErr := c.exitStatus()
	switch {
	case waitErr == nil && status != 0:
		return &loss{fmt.Sprintf("rp-agent ended with status %d%s", status, c.said(c.stderr.last())), exit.HostFailed}
	case errors.Is(err, proto.ErrTruncated):
		return &loss{"a line was cut off", exit.Unreachable}
	case waitErr == nil:
		return &loss{"rp-agent closed it", exit.HostFailed}
	default:
		return &loss{code: exit.Unreachable}
	}
}

// exitStatus is how the command ended, if that becomes known soon after its output has.
func (c *Client) exitStatus() (int, error) {
	const soon = 2 * time.Second
	timer := time.NewTimer(soon)
	defer timer.Stop()
	ended := make(chan struct{})
	var status int
	var err error
	go func() {
		defer close(ended)
		status, err = c.channel.Wait()
		<-c.stderr.ended
	}()
	select {
	case <-ended:
		return status, err
	case <-timer.C:
		return 0, errors.New("no exit status came")
	}
}

// interrupted is the end of a Call whose context ended first.
func (c *Client) interrupted(ctx context.Context, op string) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		failure := c.fault(exit.Failed, c.next("status"), "no answer to %s in time: outcome unknown", op)
		failure.Err = ctx.Err()
		return failure
	}
	failure := c.fault(exit.Interrupted, c.next("status"), "interrupted during %s: outcome unknown", op)
	failure.Err = ctx.Err()
	return failure
}

// cancelConfirmed is the end of a Call that the agent stopped because it was asked to. That the agent says so is
// no proof of what was done before: the message is rpctl's, and the host's words stand behind it.
func (c *Client) cancelConfirmed(ctx context.Context, op proto.Op, sent *proto.Error) error {
	failure := c.fault(exit.Interrupted, c.next("status"), "interrupted during %s, and the host stopped it%s", op, c.said(string(sent.Message)))
	failure.Err = ctx.Err()
	return failure
}
