// Package cli is rp-agent's command line: one file for each verb. Everything that a
// verb touches of its process comes in a System, so that tests run it in theirs.
package cli

import (
	"context"
	"io"
	"net"
	"os"

	"github.com/re-connect/rpctl/agent/internal/ask"
	"github.com/re-connect/rpctl/agent/internal/host"
	"github.com/re-connect/rpctl/agent/internal/setup"
	"github.com/re-connect/rpctl/internal/coredump"
	"github.com/re-connect/rpctl/proto"
)

// System is the process and the host around a verb.
type System struct {
	Args           []string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Getenv         func(string) string

	// Socket is the agent's own. It is no flag and no variable: a forced command could be
	// talked into another one.
	Socket string
	// Dial replaces the connection to Socket where the agent is part of the process; nil means Socket.
	Dial func(context.Context) (*net.UnixConn, error)
	// Paths are what an instance serves from.
	Paths host.Paths
	// Inherited is the connection that systemd handed to an instance.
	Inherited func() (*net.UnixConn, error)
	// Setup is the host that `setup` changes.
	Setup *setup.Host
}

// ThisProcess is the system of the real rp-agent. No core holds it: plans with people's centres pass through it, and
// the key that signs receipts. The units say LimitCORE=0, which a handler of cores behind a pipe need not heed (core(5)).
func ThisProcess() System {
	coredump.Forbid()
	return System{
		Args: os.Args[1:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv,
		Socket:    proto.SocketPath,
		Paths:     host.ThisHost(os.Getenv("STATE_DIRECTORY")),
		Inherited: inherited,
		Setup:     setup.ThisHost(),
	}
}

// dial connects to the agent of this host.
func (s System) dial(ctx context.Context) (*net.UnixConn, error) {
	if s.Dial != nil {
		return s.Dial(ctx)
	}
	return ask.Dial(ctx, s.Socket)
}
