package flood

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/re-connect/rpctl/lab/sshhost"
	"github.com/re-connect/rpctl/proto"
)

// TestDrip: a host that keeps sending, and yet never says what was waited for, costs what --timeout allows and no more.
func TestDrip(t *testing.T) {
	program := build(t)
	healthy := run(t, program, greets(func(id int64, _ proto.Op, w, _ io.Writer) {
		fmt.Fprintf(w, `{"event":"done","id":%d,"result":{}}`+"\n", id)
	}), "status", "--env", "preprod", "--timeout", patience.String())
	// A login has three times --timeout: 12 times what it takes alone, beside three others.
	timeout := max(3*time.Second, (4 * healthy.took).Round(time.Second))
	for _, c := range []struct {
		name string
		host sshhost.Handler
	}{
		{"noise before the greeting", drips("x")},
		{"lines before the greeting", drips("x\n")},
		{"a greeting without end", func(ctx context.Context, r sshhost.Request, in io.Reader, out, errs io.Writer) int {
			_, _ = io.WriteString(out, `{"event":"hello","marker":"`+proto.Marker+`","agent":"`)
			return drips("x")(ctx, r, in, out, errs)
		}},
		{"a stderr without end", func(ctx context.Context, r sshhost.Request, in io.Reader, _, errs io.Writer) int {
			return drips("x\n")(ctx, r, in, errs, nil)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := run(t, program, c.host, "status", "--env", "preprod", "--timeout", timeout.String())
			if got.exit != 8 || !strings.Contains(string(got.output), fmt.Sprintf("no word from rp-agent within %s", 2*timeout)) {
				t.Errorf("exit code %d after %.1f s:\n%.500s", got.exit, got.took.Seconds(), got.output)
			}
		})
	}
}

// drips is a host that says a little again and again, until nobody listens any more.
func drips(text string) sshhost.Handler {
	return func(ctx context.Context, _ sshhost.Request, _ io.Reader, stdout, _ io.Writer) int {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return 1
			case <-tick.C:
			}
			if _, err := io.WriteString(stdout, text); err != nil {
				return 1
			}
		}
	}
}
