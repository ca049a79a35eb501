// Package ask puts a question to the agent of this host, over its socket, as a
// person's `rp-agent status` does. It speaks the same protocol as a controller.
package ask

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"syscall"

	"github.com/re-connect/rpctl/proto"
)

// UnreachableError says that there is no agent to talk to, or that the caller may not talk to it.
type UnreachableError struct {
	Message string
	Advice  proto.Advice
	Denied  bool // the socket is there, and closed to this user
}

func (e *UnreachableError) Error() string { return e.Message }

// Dial connects to the agent's socket. Its errors are *UnreachableError, or ctx's.
func Dial(ctx context.Context, socket string) (*net.UnixConn, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", socket)
	if err == nil {
		return conn.(*net.UnixConn), nil
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	failure := &UnreachableError{Message: fmt.Sprintf("cannot reach the agent of this host: %v", err)}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		failure.Message = fmt.Sprintf("cannot reach the agent of this host: there is no socket %s: it was stopped, or rp-agent was never installed (rpctl agent install, on your machine)", socket)
		failure.Advice = proto.Advice{Code: proto.AdviceStartSocket}
	case errors.Is(err, syscall.ECONNREFUSED):
		failure.Message = fmt.Sprintf("cannot reach the agent of this host: nobody listens on %s", socket)
		failure.Advice = proto.Advice{Code: proto.AdviceRestartSocket}
	case errors.Is(err, fs.ErrPermission):
		failure.Denied = true
		failure.Message = fmt.Sprintf("cannot reach the agent of this host: %s is closed to you: only members of group rpctl may use it, from the login after they came into it", socket)
		failure.Advice = proto.Advice{Code: proto.AdviceJoin}
	}
	return nil, failure
}

// Do asks for one operation that needs no environment, and decodes its result. A refusal is a *proto.Error.
// The connection is of no use afterwards.
func Do(ctx context.Context, conn *net.UnixConn, op proto.Op, args, result any) error {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	err := do(conn, op, args, result)
	if ctx.Err() != nil {
		return fmt.Errorf("cannot get an answer of the agent: %w", ctx.Err())
	}
	return err
}

func do(conn *net.UnixConn, op proto.Op, args, result any) error {
	lines := proto.NewReader(conn)
	var hello proto.Hello
	if err := next(lines, &hello); err != nil {
		return err
	}
	if hello.Event != proto.EventHello || hello.Marker != proto.Marker {
		return fmt.Errorf("cannot talk to the agent: it does not greet as %s", proto.Marker)
	}
	if hello.Error != nil {
		return hello.Error
	}
	version, ok := proto.Speaks().Common(hello.Protocol)
	if !ok {
		return fmt.Errorf("cannot talk to the agent: it speaks protocol %d to %d", hello.Protocol.Min, hello.Protocol.Max)
	}
	request := proto.Request{ID: 1, Protocol: version, Op: op}
	if args != nil {
		var err error
		if request.Args, err = json.Marshal(args); err != nil {
			return err
		}
	}
	if err := proto.NewWriter(conn).Write(request); err != nil {
		return ended(err)
	}
	return answer(lines, result)
}

// answer passes over progress and takes what ends the answer.
func answer(lines *proto.Reader, result any) error {
	for {
		var event proto.Event
		if err := next(lines, &event); err != nil {
			return err
		}
		switch {
		case event.Event == proto.EventError && event.Error != nil:
			return event.Error
		case event.Event == proto.EventDone:
			return json.Unmarshal(event.Result, result)
		}
	}
}

// ended is an agent that is gone. The cause is words alone: an EPIPE of this conversation must not
// pass for one of the terminal, after which nobody waits for an answer any more.
func ended(err error) error {
	return fmt.Errorf("the agent ended without an answer (%v): see `journalctl -u 'rp-agent@*' -n 20`", err)
}

// next is the next line. Fields that this binary does not know are a newer agent's, and harmless.
func next(lines *proto.Reader, v any) error {
	line, err := lines.ReadLine()
	if err != nil {
		return ended(err)
	}
	if err := json.Unmarshal(line, v); err != nil {
		return fmt.Errorf("cannot understand the agent: %w", err)
	}
	return nil
}
