package flood

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/lab/sshhost"
	"github.com/re-connect/rpctl/proto"
)

const (
	mib = 1 << 20
	// maxMemory is what rpctl may take, whatever one host sends. Bytes.
	maxMemory  = 32 * mib
	everything = 1024 // MiB
)

// amount is how many MiB a host sends where rpctl reads them all; MEMORY=all is a whole GiB.
func amount() int {
	if os.Getenv("MEMORY") == "all" {
		return everything
	}
	return 128
}

var filler = strings.Repeat("x", mib-400)

// TestFlood: whatever a host sends, and however much of it, rpctl stays small, ends, and says why.
func TestFlood(t *testing.T) {
	program := build(t)
	job := `{"id":"abcdefgh","kind":"apply","state":%q,"plan":"p","operator":"o","user":"u","created":"2026-01-01T00:00:00Z","steps":[]}`
	status := []string{"status", "--env", "preprod"}
	for _, c := range []struct {
		name string
		host sshhost.Handler
		args []string
		exit int
		says string
	}{
		{"noise without end before the greeting", raw(func(w io.Writer) { forever(w, "noise\n") }), status, 8, "without end"},
		{"noise without a newline", raw(func(w io.Writer) { forever(w, filler) }), status, 8, "without end"},
		{"a line without end", greets(func(_ int64, _ proto.Op, w, _ io.Writer) { forever(w, filler) }), status, 8, "longer than"},
		{"events that nobody knows", greets(func(id int64, _ proto.Op, w, _ io.Writer) {
			times(w, amount(), fmt.Sprintf(`{"event":"new","id":%d,"a":"%s"}`+"\n", id, filler))
			fmt.Fprintf(w, `{"event":"error","id":%d,"error":{"code":"host","message":"enough"}}`+"\n", id)
		}), status, 8, "enough"},
		{"many workers in a status", greets(func(id int64, _ proto.Op, w, _ io.Writer) {
			fmt.Fprintf(w, `{"event":"done","id":%d,"result":{"workers":[%s{}]}}`+"\n", id, strings.Repeat("{},", mib/3-100))
		}), status, 8, "values"},
		{"as many workers as are let through", greets(func(id int64, _ proto.Op, w, _ io.Writer) {
			fmt.Fprintf(w, `{"event":"done","id":%d,"result":{"workers":[%s{}]}}`+"\n", id, strings.Repeat("{},", 32000))
		}), status, 0, "of 32001"},
		{"log lines without end", greets(func(id int64, _ proto.Op, w, _ io.Writer) {
			times(w, amount()*16, fmt.Sprintf(`{"event":"log","id":%d,"log":{"unit":"worker@1.service","message":"%s"}}`+"\n", id, filler[:mib/16-200]))
			fmt.Fprintf(w, `{"event":"done","id":%d,"result":{}}`+"\n", id)
		}), []string{"logs", "--env", "preprod"}, 0, "xxx"},
		{"a stderr without end", greets(func(id int64, _ proto.Op, w, stderr io.Writer) {
			times(stderr, amount(), filler+"\n")
			fmt.Fprintf(w, `{"event":"error","id":%d,"error":{"code":"host","message":"enough"}}`+"\n", id)
		}), status, 8, "enough"},
		{"much output of a job", greets(func(id int64, op proto.Op, w, _ io.Writer) {
			if op != proto.OpJobFollow {
				fmt.Fprintf(w, `{"event":"done","id":%d,"result":{"jobs":[`+job+`]}}`+"\n", id, "running")
				return
			}
			fmt.Fprintf(w, `{"event":"job","id":%d,"job":`+job+"}\n", id, "running")
			block := strings.Repeat("y", proto.MaxOutput) + "\n"
			for n := range amount() * 4 {
				if _, err := fmt.Fprintf(w, `{"event":"output","id":%d,"output":{"stream":"stdout","offset":%d,"length":%d}}`+"\n%s", id, n*proto.MaxOutput, proto.MaxOutput, block); err != nil {
					return
				}
			}
			fmt.Fprintf(w, `{"event":"done","id":%d,"result":`+job+"}\n", id, "succeeded")
		}), []string{"attach", "abcdefgh", "--env", "preprod", "--raw"}, 0, "yyy"},
	} {
		t.Run(c.name, func(t *testing.T) {
			// How much comes ends each case, not how long it takes.
			got := run(t, program, c.host, append(c.args, "--timeout", patience.String())...)
			t.Logf("%.1f MiB of memory, %d MiB printed, %.1f s", float64(got.memory)/mib, got.length/mib, got.took.Seconds())
			if got.memory > maxMemory {
				t.Errorf("rpctl took %.1f MiB of memory", float64(got.memory)/mib)
			}
			if got.exit != c.exit || !strings.Contains(string(got.output), c.says) {
				t.Errorf("exit code %d, want %d with %q:\n%.1500s", got.exit, c.exit, c.says, got.output)
			}
		})
	}
}

// raw is a host that does not greet.
func raw(say func(io.Writer)) sshhost.Handler {
	return func(_ context.Context, _ sshhost.Request, _ io.Reader, stdout, _ io.Writer) int {
		say(stdout)
		return 0
	}
}

// forever writes until nobody reads any more.
func forever(w io.Writer, text string) {
	for {
		if _, err := io.WriteString(w, text); err != nil {
			return
		}
	}
}

func times(w io.Writer, n int, text string) {
	for range n {
		if _, err := io.WriteString(w, text); err != nil {
			return
		}
	}
}

// build builds rpctl as it is shipped.
func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "rpctl")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", program, "github.com/re-connect/rpctl/controller/cmd/rpctl")
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cannot build rpctl: %v\n%s", err, out)
	}
	return program
}
