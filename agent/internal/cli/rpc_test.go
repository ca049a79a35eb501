package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/proto"

	"github.com/re-connect/rpctl/internal/exitcode"
)

// bridged runs `rpc` against agent, which serves one connection.
func bridged(t *testing.T, ctx context.Context, s System, agent func(*net.UnixConn)) error {
	t.Helper()
	s.Socket = filepath.Join(t.TempDir(), "s")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: s.Socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	served := make(chan struct{})
	go func() {
		defer close(served)
		conn, err := listener.AcceptUnix()
		if err != nil {
			return
		}
		defer conn.Close()
		agent(conn)
	}()
	root := s.newRootCommand()
	root.SetArgs([]string{"rpc"})
	err = root.ExecuteContext(ctx)
	<-served
	return err
}

func ssh(name string) string {
	if name == "SSH_CONNECTION" {
		return "10.0.0.7 53412 10.0.0.1 22" + strings.Repeat("x", 500)
	}
	return ""
}

func TestBridgeTellsWhereTheLoginCameFromAndCarriesBothWays(t *testing.T) {
	var out bytes.Buffer
	var first, rest string
	s := System{Stdin: strings.NewReader("a question\n"), Stdout: &out, Getenv: ssh}
	err := bridged(t, t.Context(), s, func(conn *net.UnixConn) {
		lines := bufio.NewReader(conn)
		first, _ = lines.ReadString('\n')
		all, _ := io.ReadAll(lines) // ends, since the end of the input is passed on
		rest = string(all)
		_, _ = io.WriteString(conn, "an answer\n")
	})
	if err != nil || rest != "a question\n" || out.String() != "an answer\n" {
		t.Errorf("%v; the agent got %q, the caller %q", err, rest, out.String())
	}
	var line proto.Line
	if err := proto.DecodeStrict([]byte(first), &line); err != nil || line.Bridge == nil ||
		len(line.Bridge.SSHConnection) != maxConnection || !strings.HasPrefix(line.Bridge.SSHConnection, "10.0.0.7 53412 ") {
		t.Errorf("bridge line %q: %v", first, err)
	}
}

// splicing is a standard output that would take the copying over, as a file does.
type splicing struct {
	t *testing.T
	io.Writer
}

func (s splicing) ReadFrom(io.Reader) (int64, error) {
	s.t.Error("the copying is left to the file: it spins while nobody reads")
	return 0, nil
}

func TestBridgeWaitsForItsReader(t *testing.T) {
	var out bytes.Buffer
	err := bridged(t, t.Context(), System{Stdin: silent{}, Stdout: splicing{t, &out}, Getenv: ssh}, func(conn *net.UnixConn) {
		_, _ = io.WriteString(conn, "an answer\n")
	})
	if err != nil || out.String() != "an answer\n" {
		t.Errorf("%v, %q", err, out.String())
	}
}

// silent is an input that never ends.
type silent struct{}

func (silent) Read([]byte) (int, error) { select {} }

func TestBridgeEndsWithTheAgent(t *testing.T) {
	var out bytes.Buffer
	err := bridged(t, t.Context(), System{Stdin: silent{}, Stdout: &out, Getenv: ssh}, func(conn *net.UnixConn) {
		_, _ = io.WriteString(conn, "refused\n")
	})
	if err != nil || out.String() != "refused\n" {
		t.Errorf("%v, %q", err, out.String())
	}
}

var errGone = errors.New("nobody reads")

type closed struct{}

func (closed) Write([]byte) (int, error) { return 0, errGone }

func TestBridgeEndsWhenNobodyReads(t *testing.T) {
	err := bridged(t, t.Context(), System{Stdin: silent{}, Stdout: closed{}, Getenv: ssh}, func(conn *net.UnixConn) {
		_, _ = io.WriteString(conn, "an answer\n")
		_, _ = io.Copy(io.Discard, conn) // ends with the bridge
	})
	if !errors.Is(err, errGone) {
		t.Errorf("%v", err)
	}
}

func TestBridgeEndsWithItsProcess(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	err := bridged(t, ctx, System{Stdin: silent{}, Stdout: io.Discard, Getenv: ssh}, func(conn *net.UnixConn) {
		lines := bufio.NewReader(conn)
		_, _ = lines.ReadString('\n') // it is connected
		cancel()
		_, _ = io.Copy(io.Discard, lines)
	})
	if explain(err).status != exitcode.Interrupted {
		t.Errorf("%v", err)
	}
}
