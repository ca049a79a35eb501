package upload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/re-connect/rpctl/controller/internal/connect"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/internal/secret"
)

// maxAnswer is how much of a command's output is kept, in bytes.
const maxAnswer = 64 << 10

// Remote is a host over an SSH connection.
type Remote struct{ Conn *connect.Conn }

// Client is the connection itself.
func (r Remote) Client() *ssh.Client { return r.Conn.Client() }

// Run runs a command and waits for its end, or for ctx.
func (r Remote) Run(ctx context.Context, command string, stdin io.Reader) ([]byte, error) {
	running, err := r.Conn.Start(ctx, command)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = running.Close() })
	defer stop()
	fed := make(chan struct{})
	go func() {
		defer close(fed)
		if stdin != nil {
			_, _ = io.Copy(running.Stdin(), stdin) // a command that reads no more says so by its status
		}
		_ = running.Stdin().Close()
	}()
	said := make(chan []byte, 1)
	go func() { said <- keep(running.Stderr()) }()
	answer := keep(running.Stdout())
	complaint := <-said
	status, err := running.Wait()
	<-fed // what is read may be the caller's to wipe; nothing is written any more
	if ctx.Err() != nil {
		return answer, ctx.Err()
	}
	if errors.Is(err, connect.ErrNoStatus) {
		err = &exit.Error{Code: exit.Unreachable, Err: err, Message: fmt.Sprintf("the connection was lost while %s ran", strings.Fields(command)[0])}
	}
	if err == nil && status != 0 {
		err = fmt.Errorf("%s: status %d: %s", strings.Fields(command)[0], status, lastLine(complaint))
	}
	return answer, err
}

// keep reads to the end and keeps the beginning.
func keep(from io.Reader) []byte {
	var kept bytes.Buffer
	_, err := io.CopyN(&kept, from, maxAnswer)
	if err == nil {
		_, err = io.Copy(io.Discard, from)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return kept.Bytes() // the status tells what went wrong
	}
	return kept.Bytes()
}

func lastLine(said []byte) string {
	lines := strings.Split(strings.TrimSpace(string(said)), "\n")
	return printable.Excerpt(secret.Mask(lines[len(lines)-1]), 200)
}
