package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/re-connect/rpctl/proto"
)

// maxConnection bounds what is passed on of SSH_CONNECTION, in bytes: two addresses and two ports.
const maxConnection = 128

// bridgeBuffer is how much the bridge carries at once, in bytes: more than a unix socket holds at a time
// saves no call.
const bridgeBuffer = 128 << 10

// onlyWriter hides that a file could splice from the socket. Standard output blocks, and there os.File asks
// again and again, at the price of a whole core, while the reader has no room (golang.org/issue/75304).
type onlyWriter struct{ io.Writer }

func (s System) newRPCCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rpc",
		Short: "Connect standard input and output to the agent; rpctl runs this",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			conn, err := s.dial(cmd.Context())
			if err != nil {
				return err
			}
			defer conn.Close()
			return s.bridge(cmd.Context(), conn)
		},
	}
}

// bridge carries bytes both ways until the agent has said all, nobody reads on, or ctx ends. The
// caller's end of input is passed on, so that the agent still answers what was asked.
func (s System) bridge(ctx context.Context, conn *net.UnixConn) error {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	connection := s.Getenv("SSH_CONNECTION")
	told := proto.Bridge{SSHConnection: connection[:min(len(connection), maxConnection)]}
	// An agent that cannot serve greets and hangs up; its greeting is still there to be read.
	_ = proto.NewWriter(conn).Write(struct {
		Bridge proto.Bridge `json:"bridge"`
	}{told})
	go func() { // it may wait for input for ever; it ends with the process
		_, _ = io.Copy(conn, s.Stdin)
		_ = conn.CloseWrite()
	}()
	_, err := io.CopyBuffer(onlyWriter{s.Stdout}, conn, make([]byte, bridgeBuffer))
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	// An agent that hangs up on words that it did not read resets the connection; what it said came first.
	case err != nil && !errors.Is(err, syscall.ECONNRESET):
		return fmt.Errorf("lost the connection to the agent: %w", err)
	default:
		return nil
	}
}
