package embedded

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/re-connect/rpctl/agent/internal/peer"
	"github.com/re-connect/rpctl/agent/internal/session"
	"github.com/re-connect/rpctl/proto"
)

// Caller is who logged in. On a real host the kernel proves it.
type Caller struct {
	User   string
	UID    uint32
	Groups []string
	// Connection is sshd's SSH_CONNECTION: client address and port, server address and port.
	Connection string
}

// What a shell says of a command that is not there, bash(1), EXIT STATUS.
const statusNotFound = 127

// Exec runs what `ssh host COMMAND` would and returns its exit status: rp-agent and nothing
// else. The words are split at spaces; there is no shell. When ctx ends the caller is gone:
// Exec returns, and what the host was told to do is finished.
func (h *Host) Exec(ctx context.Context, command string, caller Caller, stdin io.Reader, stdout, stderr io.Writer) int {
	words := strings.Fields(command)
	if len(words) == 0 || words[0] != "rp-agent" {
		fmt.Fprintf(stderr, "bash: line 1: %s: command not found\n", strings.Join(words[:min(len(words), 1)], ""))
		return statusNotFound
	}
	return h.agent(ctx, words[1:], caller, stdin, stdout, stderr)
}

// dial is a connection to the agent as the socket unit makes it: each is served by itself.
func (h *Host) dial(caller Caller) (net.Conn, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, fmt.Errorf("cannot connect to the agent: %w", err)
	}
	who := peer.Caller{User: caller.User, UID: caller.UID, Groups: caller.Groups}
	h.serving.Go(func() { _ = session.Serve(h.ctx, theirs, who, h.session) }) // a lost caller is no concern of the host's
	return ours, nil
}

// bridge joins the login to the agent, as `rp-agent rpc` does.
func (h *Host) bridge(ctx context.Context, caller Caller, stdin io.Reader, stdout, stderr io.Writer) int {
	conn, err := h.dial(caller)
	if err != nil {
		fmt.Fprintln(stderr, "rp-agent:", err)
		return 1
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	line, err := json.Marshal(proto.Line{Bridge: &proto.Bridge{SSHConnection: caller.Connection}})
	if err != nil {
		fmt.Fprintln(stderr, "rp-agent:", err)
		return 1
	}
	go func() {
		_, _ = conn.Write(append(line, '\n'))
		_, _ = io.Copy(conn, stdin)
		_ = conn.(*net.UnixConn).CloseWrite()
	}()
	_, _ = io.Copy(stdout, conn)
	return 0
}

// socketPair is two ends of a Unix socket, each of which can be half closed.
func socketPair() (ours, theirs net.Conn, err error) {
	syscall.ForkLock.RLock()
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(pair[0])
		syscall.CloseOnExec(pair[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, err
	}
	if ours, err = connOf(pair[0]); err != nil {
		_ = syscall.Close(pair[1])
		return nil, nil, err
	}
	if theirs, err = connOf(pair[1]); err != nil {
		return nil, nil, err
	}
	return ours, theirs, nil
}

// connOf takes the descriptor over.
func connOf(fd int) (net.Conn, error) {
	file := os.NewFile(uintptr(fd), "agent")
	defer file.Close()
	return net.FileConn(file)
}
