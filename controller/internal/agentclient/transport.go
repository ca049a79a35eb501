package agentclient

import (
	"context"
	"io"
)

// Transport runs commands on one host; connect.Conn is one over SSH (see Over).
type Transport interface {
	// Start asks the host to run command and returns without waiting for the
	// command to say anything. ctx bounds the start, not the command's life.
	Start(ctx context.Context, command string) (Channel, error)
}

// Channel is a command that runs on a host. Its reads end when the command has closed
// its output or the connection is lost; Wait tells which.
type Channel interface {
	Stdin() io.WriteCloser // Close says end of file
	Stdout() io.Reader
	Stderr() io.Reader
	// Wait returns the exit status once the command has ended; an error means that
	// none came: the connection was lost, or a signal ended the command.
	Wait() (status int, err error)
	// Close gives up the command and does not wait; reads and writes end when the host
	// has confirmed it, or with the connection.
	Close() error
}
