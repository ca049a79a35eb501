package ask

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/re-connect/rpctl/proto"
)

const hello = `{"event":"hello","marker":"rp-agent/1","protocol":{"min":1,"max":9},"from_the_future":1}` + "\n"

// agent listens and answers one connection: says first, takes a line, says then.
func agent(t *testing.T, first, then string) *net.UnixConn {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sock")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, first)
		if then != "" {
			_, _ = proto.NewReader(conn).ReadLine()
			_, _ = io.WriteString(conn, then)
		}
	}()
	conn, err := Dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func TestDo(t *testing.T) {
	conn := agent(t, hello, `{"event":"unit","id":1}`+"\n"+`{"event":"done","id":1,"result":{"entries":3,"ok":true}}`+"\n")
	var report proto.AuditReport
	if err := Do(t.Context(), conn, proto.OpAuditVerify, struct{}{}, &report); err != nil || report.Entries != 3 {
		t.Errorf("%+v, %v", report, err)
	}
}

func TestDoFails(t *testing.T) {
	cases := []struct{ name, first, then, want string }{
		{"refusal", hello, `{"event":"error","id":1,"error":{"code":"host","message":"no bus"}}` + "\n", "no bus"},
		{"refused greeting", `{"event":"hello","marker":"rp-agent/1","error":{"code":"config","message":"bad toml"}}` + "\n", "", "bad toml"},
		{"another marker", `{"event":"hello","marker":"x/1"}` + "\n", "", "does not greet"},
		{"another time", `{"event":"hello","marker":"rp-agent/1","protocol":{"min":8,"max":9}}` + "\n", "", "protocol 8 to 9"},
		{"noise", "hello\n", "", "cannot understand"},
		{"silence", "", "", "without an answer"},
		{"end in the middle", hello, `{"event":"do`, "without an answer"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			err := Do(t.Context(), agent(t, c.first, c.then), proto.OpStatus, nil, &struct{}{})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// TestAgentThatDiesAfterItsGreeting: whoever asks must not take the end of the conversation for the
// end of their own output (rp-agent ends with status 0 then, which says healthy).
func TestAgentThatDiesAfterItsGreeting(t *testing.T) {
	ours, theirs := pair(t)
	if _, err := io.WriteString(theirs, hello); err != nil {
		t.Fatal(err)
	}
	_ = theirs.Close()
	err := Do(t.Context(), ours, proto.OpStatus, nil, &struct{}{})
	if err == nil || errors.Is(err, syscall.EPIPE) || !strings.Contains(err.Error(), "without an answer") {
		t.Errorf("got %v", err)
	}
}

// pair is two ends of one connection.
func pair(t *testing.T) (ours, theirs *net.UnixConn) {
	t.Helper()
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "sock"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if ours, err = Dial(t.Context(), listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if theirs, err = listener.AcceptUnix(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ours.Close() })
	return ours, theirs
}

func TestDoEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	path := filepath.Join(t.TempDir(), "sock")
	listener, err := net.Listen("unix", path) // it accepts, and never greets
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	conn, err := Dial(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := Do(ctx, conn, proto.OpStatus, nil, &struct{}{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Do = %v", err)
	}
}

func TestDialSaysWhatToType(t *testing.T) {
	folder := t.TempDir()
	_, err := Dial(t.Context(), filepath.Join(folder, "none"))
	var failure *UnreachableError
	if !errors.As(err, &failure) || !strings.Contains(failure.Advice.Text(), "systemctl start rp-agent.socket") || failure.Denied {
		t.Errorf("missing socket: %+v", failure)
	}

	left := filepath.Join(folder, "left")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: left, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	listener.SetUnlinkOnClose(false)
	_ = listener.Close()
	if _, err := Dial(t.Context(), left); !errors.As(err, &failure) || !strings.Contains(failure.Message, "nobody listens") {
		t.Errorf("left socket: %v", err)
	}

	if os.Geteuid() == 0 {
		t.Skip("root may use any socket")
	}
	if err := os.Chmod(left, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := Dial(t.Context(), left); !errors.As(err, &failure) || !failure.Denied {
		t.Errorf("closed socket: %v", err)
	}
}
