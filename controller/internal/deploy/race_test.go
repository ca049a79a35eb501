package deploy

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/fleet"
	"github.com/re-connect/rpctl/controller/internal/inventory"
	"github.com/re-connect/rpctl/proto"
)

// TestTwoDeploysAtOnce lets two operators begin together, with hosts.toml in two orders: one wins.
func TestTwoDeploysAtOnce(t *testing.T) {
	b := newBench("pp1", "pp2", "pp3")
	inside := make(chan struct{})
	refused := make(chan struct{})
	b.running = func(_ context.Context, argv []string) error {
		if argv[0] == "make" {
			close(inside) // twice would panic: two deploys went through
			<-refused
		}
		return nil
	}
	other := *b
	other.options.Environment.Hosts = slices.Clone(b.options.Environment.Hosts)
	slices.Reverse(other.options.Environment.Hosts)
	other.world.Fleet = &fleet.Fleet{Dial: b.dial("bob@desk")}
	other.world.Sink = &sink{}
	var once sync.Once
	results := make(chan error, 2)
	for _, each := range []*bench{b, &other} {
		go func() {
			err := Deploy(t.Context(), each.world, each.options)
			if err != nil {
				<-inside
				once.Do(func() { close(refused) })
			}
			results <- err
		}()
	}
	var won, lost int
	for range 2 {
		switch err := <-results; {
		case err == nil:
			won++
		case exit.From(err).Code == exit.Refused && strings.Contains(err.Error(), "held by "):
			lost++
		default:
			t.Error(err)
		}
	}
	if won != 1 || lost != 1 {
		t.Errorf("%d won and %d were refused", won, lost)
	}
}

// TestInterrupted presses Ctrl-C in the middle of each step.
func TestInterrupted(t *testing.T) {
	for _, test := range []struct {
		name string
		at   string // an operation, or the first word of a local command
		next string
	}{
		{"connecting", "dial", "rpctl deploy --env preprod"},
		{"taking the lease", string(proto.OpLease), "rpctl deploy --env preprod"},
		{"local", "git pull", "rpctl deploy --env preprod"},
		{"prepare", "composer", "rpctl deploy --env preprod"},
		{"deploy", "make", "rpctl status --env preprod"},
		{"restart", string(proto.OpRestart), "rpctl restart --env preprod"},
		{"verify", string(proto.OpVerify), "rpctl restart --env preprod"},
		{"health", "https://pp.example", "rpctl status --env preprod"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench("pp1", "pp2")
			ctx, interrupt := context.WithCancel(t.Context())
			told := make(chan string, 1)
			b.sink.on = func(e event.Event) {
				if e.Kind == event.Warning && strings.HasPrefix(e.Text, "interrupted") {
					told <- e.Text
				}
			}
			strike := func(ctx context.Context, what string) error {
				if what != test.at {
					return nil
				}
				interrupt()
				<-ctx.Done()
				return ctx.Err()
			}
			b.hosts["pp1"].during = func(ctx context.Context, op proto.Op) error { return strike(ctx, string(op)) }
			b.running = func(ctx context.Context, argv []string) error { return strike(ctx, argv[0]) }
			b.tree.updating = func(ctx context.Context) error { return strike(ctx, "git pull") }
			b.options.Environment.Health = &inventory.Health{URL: "https://pp.example"}
			b.world.Healthy = func(ctx context.Context, h inventory.Health, _ string) (string, error) { return "", strike(ctx, h.URL) }

			b.want(t, Deploy(ctx, b.world, b.options), exit.Interrupted, "interrupted in step", test.next)
			if text := <-told; !strings.Contains(text, "in progress: ") {
				t.Errorf("told %q", text)
			}
			if b.sink.report(t).Exit != int(exit.Interrupted) {
				t.Errorf("the summary says %+v", b.sink.report(t))
			}
			if got := b.sink.report(t).Hosts[0]; test.at == "make" && (got.Code != codeUnknown || got.Before == "" || got.After != "") {
				t.Errorf("nobody has looked at what the command did, and the summary says %+v", got)
			}
			result := "failed"
			if test.next == "rpctl deploy --env preprod" {
				result = proto.NotBegun // nothing was touched: the same command again
			}
			for _, record := range b.hosts["pp1"].records {
				if record.Result != result || !strings.Contains(record.Detail, "interrupted") {
					t.Errorf("recorded %+v", record)
				}
			}
			if test.at == string(proto.OpRestart) && slices.Contains(b.restarted(), "pp2") {
				t.Error("the next host was started after the interruption")
			}
		})
	}
}

// TestCtrlCThatTheCommandHeardFirst: the terminal tells the command and rpctl at once, and the
// command may have ended before rpctl's own context has.
func TestCtrlCThatTheCommandHeardFirst(t *testing.T) {
	for _, test := range []struct{ command, next string }{
		{"composer", "rpctl deploy --env preprod"},
		{"make", "rpctl status --env preprod"},
	} {
		b := newBench("pp1")
		b.running = func(_ context.Context, argv []string) error {
			if argv[0] != test.command {
				return nil
			}
			return &exit.Error{Code: exit.Interrupted, Message: argv[0] + " failed: ended by signal 2 (interrupt)"}
		}
		b.want(t, Deploy(t.Context(), b.world, b.options), exit.Interrupted, "interrupted in step", test.next)
	}
}
