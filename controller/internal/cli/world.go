package cli

import (
	"context"
	"errors"
	"io"

	"github.com/re-connect/rpctl/controller/internal/deploy"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/fleet"
)

// world is what the steps of a deploy work with, on this machine.
func (a *app) world() deploy.World {
	world := deploy.World{Fleet: a.fleet(), Sink: a.view(), Now: a.Now, Confirmed: a.confirmed()}
	a.local(&world)
	if a.Asks {
		world.Confirm = a.confirm
	}
	return world
}

// fleet reaches the hosts.
func (a *app) fleet() *fleet.Fleet {
	dial := a.dialer()
	return &fleet.Fleet{Dial: func(ctx context.Context, target fleet.Target) (fleet.Agent, error) {
		before := a.recall(target)
		agent, err := dial(ctx, target)
		if err != nil {
			return nil, err
		}
		return &witnessed{Agent: agent, app: a, target: target, before: before}, nil
	}}
}

// dialer starts agents over SSH, or as a test wants it.
func (a *app) dialer() func(context.Context, fleet.Target) (fleet.Agent, error) {
	if a.Dial != nil {
		return a.Dial
	}
	return a.sshOf().dial
}

// confirm asks a question and reads one line. It reads no byte more: what comes
// after is for the commands that run later.
func (a *app) confirm(ctx context.Context, question string) (string, error) {
	type reply struct {
		line string
		err  error
	}
	replies := make(chan reply, 1)
	var got reply
	a.view().Pause(func() {
		_, _ = io.WriteString(a.Stderr, question) // a question that cannot be shown is not answered either
		go func() {
			line, err := readLine(a.Stdin)
			replies <- reply{line, err}
		}()
		select {
		case got = <-replies:
		case <-ctx.Done():
			got.err = ctx.Err()
		}
	})
	if got.err != nil && ctx.Err() == nil {
		return "", &exit.Error{Code: exit.Refused, Message: "not confirmed: " + got.err.Error(), Err: got.err}
	}
	return got.line, got.err
}

// readLine reads up to a newline, byte by byte.
func readLine(in io.Reader) (string, error) {
	const longest = 1024
	var line []byte
	var one [1]byte
	for len(line) < longest {
		n, err := in.Read(one[:])
		if n == 1 && one[0] == '\n' {
			return string(line), nil
		}
		line = append(line, one[:n]...)
		if errors.Is(err, io.EOF) {
			return "", errors.New("nothing was typed")
		}
		if err != nil {
			return "", err
		}
	}
	return "", errors.New("the answer is too long")
}
