package embedded

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/re-connect/rpctl/agent/internal/cli"
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
	// Forced says that the login's key runs `rp-agent ssh` whatever is asked for (authorized_keys(5)).
	Forced bool
}

// What a shell says of a command that is not there (bash(1), EXIT STATUS), and rp-agent of
// what the host cannot do (docs/exit-codes.md).
const (
	statusNotFound   = 127
	statusHostFailed = 8
)

// Exec runs what `ssh host COMMAND` would and returns its exit status: rp-agent and nothing
// else. The words are split at spaces; there is no shell. When ctx ends the caller is gone:
// Exec returns, and what the host was told to do is finished.
func (h *Host) Exec(ctx context.Context, command string, caller Caller, stdin io.Reader, stdout, stderr io.Writer) int {
	words := strings.Fields(command)
	if caller.Forced {
		words = []string{"rp-agent", "ssh"}
	}
	if len(words) == 0 || words[0] != "rp-agent" && words[0] != proto.AgentPath {
		fmt.Fprintf(stderr, "bash: line 1: %s: command not found\n", strings.Join(words[:min(len(words), 1)], ""))
		return statusNotFound
	}
	if len(words) > 1 && slices.Contains([]string{"setup", "instance", "run", "console", "console-end"}, words[1]) {
		fmt.Fprintf(stderr, "rp-agent: %s does not apply: this host is embedded\n", words[1])
		return statusHostFailed
	}
	login := map[string]string{"SSH_CONNECTION": caller.Connection, "SSH_ORIGINAL_COMMAND": command}
	return cli.RunContext(ctx, cli.System{
		Args: words[1:], Stdin: stdin, Stdout: stdout, Stderr: stderr,
		Getenv: func(name string) string { return login[name] },
		Dial:   func(context.Context) (*net.UnixConn, error) { return h.dial(caller) },
	})
}

// dial is a connection to the agent as the socket unit makes it: each is served by itself.
func (h *Host) dial(caller Caller) (*net.UnixConn, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, fmt.Errorf("cannot connect to the agent: %w", err)
	}
	who := peer.Caller{User: caller.User, UID: caller.UID, Groups: caller.Groups}
	host := h.session
	host.Agent = *h.agent.Load()
	h.serving.Go(func() { _ = session.Serve(h.ctx, theirs, who, host) }) // a lost caller is no concern of the host's
	return ours, nil
}

// socketPair is two ends of a Unix socket, each of which can be half closed.
func socketPair() (ours, theirs *net.UnixConn, err error) {
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
func connOf(fd int) (*net.UnixConn, error) {
	file := os.NewFile(uintptr(fd), "agent")
	defer file.Close()
	conn, err := net.FileConn(file)
	if err != nil {
		return nil, err
	}
	return conn.(*net.UnixConn), nil
}
