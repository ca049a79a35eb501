package connect

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/re-connect/rpctl/controller/internal/exit"
)

// ErrNoStatus says that nobody knows how a command ended.
var ErrNoStatus = errors.New("the connection ended before the command did")

// Exec is a command that runs on a host.
type Exec struct {
	channel ssh.Channel
	ended   chan struct{} // closed when status and err are set
	status  int
	err     error
}

// Start asks the host to run command, through the user's login shell there. It waits for the
// channel (one round trip), not for the host's consent to the command: what is written to
// Stdin follows at once, and a command that the host refuses ends without a status. ctx bounds
// the start alone.
func (c *Conn) Start(ctx context.Context, command string) (*Exec, error) {
	ctx, cancel := context.WithTimeout(ctx, c.startWithin)
	defer cancel()
	channel, requests, err := c.openSession(ctx)
	if err != nil {
		return nil, c.noSession(ctx, err)
	}
	e := &Exec{channel: channel, ended: make(chan struct{})}
	go e.watch(requests)
	payload := ssh.Marshal(struct{ Command string }{command})
	if _, err := channel.SendRequest("exec", false, payload); err != nil {
		channel.Close()
		return nil, c.noSession(ctx, err)
	}
	return e, nil
}

// openSession opens a session channel, or gives it up when ctx ends first.
func (c *Conn) openSession(ctx context.Context) (ssh.Channel, <-chan *ssh.Request, error) {
	type opened struct {
		channel  ssh.Channel
		requests <-chan *ssh.Request
		err      error
	}
	done := make(chan opened, 1)
	go func() {
		channel, requests, err := c.client.OpenChannel("session", nil)
		done <- opened{channel, requests, err}
	}()
	select {
	case o := <-done:
		return o.channel, o.requests, o.err
	case <-ctx.Done():
		go func() { // it may still come
			if o := <-done; o.err == nil {
				go ssh.DiscardRequests(o.requests)
				o.channel.Close()
			}
		}()
		return nil, nil, ctx.Err()
	}
}

// noSession says why a connection carries no further command.
func (c *Conn) noSession(ctx context.Context, err error) error {
	failed := &exit.Error{Code: exit.Unreachable, Next: c.stuck, Err: err}
	var refused *ssh.OpenChannelError
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		failed.Code, failed.Message, failed.Err = exit.Interrupted, "interrupted while starting a command", ctx.Err()
	case errors.As(err, &refused):
		failed.Message = fmt.Sprintf("the host opens no further session (MaxSessions in its sshd_config): %s", safe(refused.Message))
	case errors.Is(err, context.DeadlineExceeded):
		failed.Message = fmt.Sprintf("no answer within %s over an open connection (%s)", c.startWithin, c.Via())
	case over(err), strings.HasSuffix(err.Error(), "<nil>"): // x/crypto's: it read a message of a connection that had ended
		failed.Message = fmt.Sprintf("the connection (%s) was lost before a command was started", c.Via())
	default:
		failed.Message = fmt.Sprintf("the connection (%s) was lost: %s", c.Via(), safe(err.Error()))
	}
	return failed
}

// watch notes how the command ended; requests is closed with the channel.
func (e *Exec) watch(requests <-chan *ssh.Request) {
	defer close(e.ended)
	e.err = ErrNoStatus
	for request := range requests {
		switch {
		case request.Type == "exit-status" && len(request.Payload) == 4:
			e.status, e.err = int(binary.BigEndian.Uint32(request.Payload)), nil
		case request.Type == "exit-signal":
			var signal struct {
				Name       string
				CoreDumped bool
				Message    string
				Language   string
			}
			_ = ssh.Unmarshal(request.Payload, &signal)
			e.err = fmt.Errorf("the command was ended by signal %s", safe(signal.Name))
		case request.WantReply:
			_ = request.Reply(false, nil)
		}
	}
}

// Stdin is the command's input; Close says end of file.
func (e *Exec) Stdin() io.WriteCloser { return stdin{e.channel} }

type stdin struct{ ssh.Channel }

func (s stdin) Close() error { return s.CloseWrite() }

// Stdout is the command's output. It ends with io.EOF, also when the connection was lost: Wait tells.
func (e *Exec) Stdout() io.Reader { return e.channel }

// Stderr is the command's error output; it must be read, or the command may block.
func (e *Exec) Stderr() io.Reader { return e.channel.Stderr() }

// Wait returns the exit status once the command has ended; an error means that none came.
func (e *Exec) Wait() (status int, err error) {
	<-e.ended
	return e.status, e.err
}

// Close gives up the command: the host is told, and reads end when it has answered or
// the connection ends.
func (e *Exec) Close() error { return e.channel.Close() }
