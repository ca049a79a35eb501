package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/fleet"
	"github.com/re-connect/rpctl/controller/internal/hosttext"
	"github.com/re-connect/rpctl/proto"
)

const hostsFile = `version = 1
[environments.preprod]
hosts = ["pp1", "pp2"]
branch = "dev"
prepare = []
deploy = ["true"]
workers = ["messenger_worker_async@*.service"]
application = { path = "/home/app/www", user = "app" }
console_host = "pp1"
operators = ["alice"]
[environments.prod]
hosts = ["p1"]
branch = "main"
deploy = ["true"]
workers = ["messenger_worker@*.service"]
application = { path = "/home/app/www", user = "app" }
operators = ["alice"]
confirm = true
`

// desk is a machine with a hosts.toml and fake hosts.
type desk struct {
	system  System
	out     bytes.Buffer
	errs    bytes.Buffer
	answers map[string]map[proto.Op]any // by host; an error is an answer too
	dials   sync.Map
}

func newDesk(t *testing.T, args ...string) *desk {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "hosts.toml"), []byte(hostsFile), 0o600); err != nil {
		t.Fatal(err)
	}
	d := &desk{answers: map[string]map[proto.Op]any{"pp1": {}, "pp2": {}, "p1": {}}}
	d.system = System{
		Args: args, Stdin: strings.NewReader(""), Stdout: &d.out, Stderr: &d.errs, Dir: dir, Hostname: "laptop",
		Getenv: func(name string) string { return map[string]string{"USER": "alice"}[name] },
		Exit:   func(int) { panic("left at once") },
		Now:    func() time.Time { return time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC) },
		Dial:   d.dial,
	}
	return d
}

func (d *desk) dial(_ context.Context, target fleet.Target) (fleet.Agent, error) {
	d.dials.Store(target.Host, true)
	if err, failing := d.answers[target.Host]["dial"].(error); failing {
		return nil, err
	}
	return oracle(d.answers[target.Host]), nil
}

// app is rpctl before a verb runs.
func (d *desk) app() *app { return &app{System: d.system} }

// run runs rpctl and checks its exit code.
func (d *desk) run(t *testing.T, want exit.Code) {
	t.Helper()
	if got := exit.Code(Run(d.system)); got != want {
		t.Fatalf("exit %d, want %d\n%s%s", got, want, &d.out, &d.errs)
	}
}

// oracle answers each operation with what was prepared.
type oracle map[proto.Op]any

func (o oracle) Hello(context.Context) (proto.Hello, error) {
	hello, _ := o["hello"].(proto.Hello)
	return hello, nil
}

func (o oracle) Close() error { return nil }

func (o oracle) Call(ctx context.Context, op proto.Op, _, result any, on func(proto.Event)) error {
	switch answer := o[op].(type) {
	case nil:
		return &proto.Error{Code: proto.CodeUnsupported, Message: proto.HostText("does not know " + string(op))}
	case error:
		return answer
	case func(context.Context, func(proto.Event)) error:
		return answer(ctx, func(e proto.Event) {
			hosttext.Clean(&e)
			on(e)
		})
	case func() any:
		return copied(answer(), result)
	default:
		return copied(answer, result)
	}
}

// copied carries an answer over as the wire does.
func copied(answer, result any) error {
	line, err := json.Marshal(answer)
	if err != nil || result == nil {
		return err
	}
	return hosttext.Decode(line, result)
}
