package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/re-connect/rpctl/agent/internal/peer/peertest"
	"github.com/re-connect/rpctl/proto"
)

// servesAlone makes the test binary one agent that serves the connection on its standard input.
const servesAlone = "RPCTL_SESSION_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(servesAlone); dir != "" {
		os.Exit(serveAlone(dir))
	}
	os.Exit(m.Run())
}

// serveAlone is `rp-agent instance` with a host whose follow never ends; it prints its highest memory.
func serveAlone(dir string) int {
	debug.SetGCPercent(25) // as agent/internal/cli has it
	debug.SetMemoryLimit(48 << 20)
	conn, err := net.FileConn(os.Stdin)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	host := hostOf(dir, &fakeHost{follow: func(ctx context.Context, _ bool, _ func(proto.LogLine) error) error {
		<-ctx.Done()
		return ctx.Err()
	}})
	host.Jobs = &fakeJobs{refuse: &proto.Error{Code: proto.CodeGate, Message: "no"}}
	_ = Serve(context.Background(), conn, root, host)
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Printf("%s", status)
	return 0
}

// maxMemory is what an agent may take, whatever it is sent. Bytes.
const maxMemory = 32 << 20

// TestMemory: an agent that is fed without end stays small. Its own memory is asked, of a process of its
// own. MEMORY=all feeds a whole GiB.
func TestMemory(t *testing.T) {
	const mib = 1 << 20
	child := filepath.Join(t.TempDir(), "child")
	// Without the race detector, whose own memory would be counted too.
	if out, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-o", child, ".").CombinedOutput(); err != nil {
		t.Fatalf("cannot build the agent: %v\n%s", err, out)
	}
	large := 64 // MiB; all of a GiB takes most of a minute
	if os.Getenv("MEMORY") == "all" {
		large = 1024
	}
	line := func(id int, op, args string) string {
		return fmt.Sprintf(`{"id":%d,"protocol":1,"op":%q,"environment":"preprod","args":{%s}}`+"\n", id, op, args)
	}
	filler := strings.Repeat("x", mib-300)
	for name, feed := range map[string]func(io.Writer) error{
		"a line without end": func(w io.Writer) error { return repeat(w, 1024, func(int) string { return filler }) },
		"pings without end": func(w io.Writer) error {
			pings := strings.Repeat("{\"ping\":true}\n", mib/14)
			return repeat(w, large/16, func(int) string { return pings })
		},
		"large requests": func(w io.Writer) error {
			return repeat(w, large, func(n int) string { return line(n, "no-such", `"a":"`+filler+`"`) })
		},
		"large requests that wait": func(w io.Writer) error {
			if _, err := io.WriteString(w, line(1, "journal", `"follow":true`)); err != nil {
				return err
			}
			return repeat(w, 62, func(n int) string { return line(n+1, "no-such", `"a":"`+filler+`"`) })
		},
		"lines of many fields": func(w io.Writer) error {
			return repeat(w, 5, func(n int) string {
				var fields strings.Builder
				for i := 0; fields.Len() < mib-400; i++ {
					fmt.Fprintf(&fields, `,"%x":1`, i)
				}
				return fmt.Sprintf(`{"id":%d%s}`+"\n", n, fields.String())
			})
		},
		"plans of many empty steps": func(w io.Writer) error {
			return repeat(w, 5, func(n int) string {
				return line(n, "job-start", `"id":"abcdefgh","kind":"apply","plan":{"groups":[{"steps":[`+strings.TrimSuffix(strings.Repeat("{},", mib/3-200), ",")+`]}]}`)
			})
		},
		"as many steps as are let through": func(w io.Writer) error {
			return repeat(w, 5, func(n int) string {
				return line(n, "job-start", `"id":"abcdefgh","kind":"apply","plan":{"groups":[{"steps":[`+strings.TrimSuffix(strings.Repeat("{},", maxValues/2-20), ",")+`]}]}`)
			})
		},
		"many empty receipts": func(w io.Writer) error {
			return repeat(w, 5, func(n int) string {
				return line(n, "job-start", `"id":"abcdefgh","kind":"apply","receipts":[`+strings.TrimSuffix(strings.Repeat("{},", mib/3-200), ",")+`]`)
			})
		},
		"many units": func(w io.Writer) error {
			return repeat(w, 5, func(n int) string {
				return line(n, "restart", `"only":[`+strings.TrimSuffix(strings.Repeat(`"",`, mib/3-200), ",")+`]`)
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			used, sent := highest(t, child, feed)
			t.Logf("%d MiB were taken, %.1f MiB was the most memory", sent/mib, float64(used)/mib)
			if used > maxMemory {
				t.Errorf("the agent took %.1f MiB of memory", float64(used)/mib)
			}
		})
	}
}

func repeat(w io.Writer, times int, text func(n int) string) error {
	for n := range times {
		if _, err := io.WriteString(w, text(n+1)); err != nil {
			return err
		}
	}
	return nil
}

// counter counts what was written.
type counter struct {
	io.Writer
	bytes int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.bytes += int64(n)
	return n, err
}

var vmHWM = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// highest feeds an agent and returns the most memory that it had, and how much it was sent.
func highest(t *testing.T, program string, feed func(io.Writer) error) (used, sent int64) {
	t.Helper()
	conn, theirs := peertest.Pair(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	child := exec.CommandContext(ctx, program)
	child.Env = append(os.Environ(), servesAlone+"="+t.TempDir())
	child.Stdin = theirs
	var told strings.Builder
	child.Stdout = &told
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	_ = theirs.Close()
	go func() { _, _ = io.Copy(io.Discard, conn) }()
	to := &counter{Writer: conn}
	if err := feed(to); err != nil && !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
		t.Fatal(err)
	}
	_ = conn.CloseWrite() // it may be gone
	if err := child.Wait(); err != nil {
		t.Fatalf("%v: %s", err, told.String())
	}
	found := vmHWM.FindStringSubmatch(told.String())
	if found == nil {
		t.Fatalf("it did not say how much memory it had: %q", told.String())
	}
	kib, err := strconv.ParseInt(found[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10, to.bytes
}
