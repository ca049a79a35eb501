package agentclient

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/re-connect/rpctl/proto"
)

const goodHello = `{"event":"hello","marker":"rp-agent/1","agent":"1.0","protocol":{"min":1,"max":1},` +
	`"capabilities":["status"],"host":"pp1","environment":"preprod"}`

// fakeHost is a Transport whose command is a function of the test: what it writes is
// what the host says, and its return is the exit status. Status -1 loses the connection.
type fakeHost struct {
	run func(stdin *bufio.Reader, stdout, stderr io.Writer) int
	// startErr, where set, is what Start fails with.
	startErr error
	commands []string
}

type fakeChannel struct {
	stdin          *io.PipeWriter
	stdout, stderr *io.PipeReader
	done           chan struct{}
	status         int
	close          func()
}

func (h *fakeHost) Start(_ context.Context, command string) (Channel, error) {
	h.commands = append(h.commands, command)
	if h.startErr != nil {
		return nil, h.startErr
	}
	inRead, inWrite := io.Pipe()
	outRead, outWrite := io.Pipe()
	errRead, errWrite := io.Pipe()
	channel := &fakeChannel{stdin: inWrite, stdout: outRead, stderr: errRead, done: make(chan struct{})}
	channel.close = sync.OnceFunc(func() {
		inRead.Close()
		outWrite.Close()
		errWrite.Close()
	})
	go func() {
		channel.status = h.run(bufio.NewReader(inRead), outWrite, errWrite)
		errWrite.Close()
		outWrite.Close()
		inRead.Close()
		close(channel.done)
	}()
	return channel, nil
}

func (c *fakeChannel) Stdin() io.WriteCloser { return c.stdin }
func (c *fakeChannel) Stdout() io.Reader     { return c.stdout }
func (c *fakeChannel) Stderr() io.Reader     { return c.stderr }
func (c *fakeChannel) Close() error          { c.close(); return nil }

func (c *fakeChannel) Wait() (int, error) {
	<-c.done
	if c.status < 0 {
		return 0, errors.New("connection lost")
	}
	return c.status, nil
}

// say writes lines as an agent does.
func say(out io.Writer, lines ...string) {
	_, _ = io.WriteString(out, strings.Join(lines, "\n")+"\n")
}

// nextLine reads one line of the controller's, or ends with false.
func nextLine(stdin *bufio.Reader) (proto.Line, bool) {
	text, err := stdin.ReadString('\n')
	if err != nil {
		return proto.Line{}, false
	}
	var line proto.Line
	if err := proto.DecodeStrict([]byte(text), &line); err != nil {
		panic(err)
	}
	return line, true
}

// nextRequest passes over pings.
func nextRequest(stdin *bufio.Reader) (proto.Line, bool) {
	for {
		line, ok := nextLine(stdin)
		if !ok || !line.Ping {
			return line, ok
		}
	}
}

func encode(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// warnings collects what a client warned of.
type warnings struct {
	mu    sync.Mutex
	lines []string
}

func (w *warnings) add(host, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines = append(w.lines, host+": "+text)
}

func (w *warnings) all() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.lines, "\n")
}

// open is a client of a fake host, closed at the end of the test.
func open(t *testing.T, run func(stdin *bufio.Reader, stdout, stderr io.Writer) int) (*Client, *warnings) {
	t.Helper()
	heard := &warnings{}
	client, err := Open(t.Context(), &fakeHost{run: run}, Options{
		Host: "pp1", Environment: "preprod", Operator: "alice@laptop", Warn: heard.add,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client, heard
}
