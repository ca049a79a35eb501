package embedded_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/re-connect/rpctl/agent/embedded"
	"github.com/re-connect/rpctl/agent/embedded/supervisor"
	"github.com/re-connect/rpctl/proto"
)

var alice = embedded.Caller{User: "app", UID: 1000, Groups: []string{"rpctl"}, Connection: "192.0.2.7 50000 192.0.2.1 22"}

// boot is a host with one release and one worker, which is a sleep.
func boot(t *testing.T, change func(*embedded.Options)) *embedded.Host {
	t.Helper()
	www := filepath.Join(t.TempDir(), "www")
	if err := os.MkdirAll(filepath.Join(www, "releases", "1"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("releases/1", filepath.Join(www, "current")); err != nil {
		t.Fatal(err)
	}
	options := embedded.Options{
		Name: "rp-test", State: filepath.Join(t.TempDir(), "state"), Agent: "1.2.3",
		Config: proto.HostConfig{
			Environment: "preprod", Application: proto.Application{Path: www, User: "app"},
			Workers: []proto.UnitPattern{"w@*.service"}, Look: []string{"rpctl"}, Act: []string{"rpctl"},
		},
		Units: []supervisor.Definition{{
			Name: "w@1.service", Argv: []string{"/bin/sleep", "600"}, Dir: filepath.Join(www, "current"), TimeoutStop: time.Second, Enabled: true,
		}},
	}
	if change != nil {
		change(&options)
	}
	h, err := embedded.New(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func run(t *testing.T, h *embedded.Host, command, stdin string, caller embedded.Caller) (status int, out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status = h.Exec(t.Context(), command, caller, strings.NewReader(stdin), &stdout, &stderr)
	return status, stdout.String(), stderr.String()
}

func TestExec(t *testing.T) {
	stranger := embedded.Caller{User: "eve", UID: 1001}
	forced := alice
	forced.Forced = true
	for _, c := range []struct {
		command   string
		caller    embedded.Caller
		status    int
		out, errs string
	}{
		{"rp-agent status", alice, 0, "w@1", ""},
		{"rp-agent status --json", alice, 0, `"environment":"preprod"`, ""},
		{"rp-agent version", alice, 0, "", ""},
		{"rp-agent audit verify", alice, 0, "", ""},
		{"rp-agent status", stranger, 4, "", "eve is in none of the groups"},
		{"rp-agent nonsense", alice, 2, "", "nonsense"},
		{"rp-agent setup", alice, 8, "", "this host is embedded"},
		{"rp-agent instance", alice, 8, "", "this host is embedded"},
		{"ls -l /", alice, 127, "", "ls: command not found"},
		{"", alice, 127, "", "command not found"},
		{"rp-agent status", forced, 0, "w@1", ""},
		{"ls -l /", forced, 4, "", "this key cannot run"},
		{"rp-agent setup", forced, 4, "", "this key cannot run"},
	} {
		t.Run(c.command+" by "+c.caller.User, func(t *testing.T) {
			h := boot(t, nil)
			status, out, errs := run(t, h, c.command, "", c.caller)
			if status != c.status || !strings.Contains(out, c.out) || !strings.Contains(errs, c.errs) {
				t.Errorf("status %d, out %q, errs %q", status, out, errs)
			}
		})
	}
}

// TestWholeConversation restarts the worker through rp-agent rpc and finds it proved and audited.
func TestWholeConversation(t *testing.T) {
	for name, hollow := range map[string]bool{"processes": false, "hollow": true} {
		t.Run(name, func(t *testing.T) {
			h := boot(t, func(o *embedded.Options) { o.Hollow = hollow })
			status, out, errs := run(t, h, "rp-agent rpc", strings.Join([]string{
				`{"id":1,"protocol":1,"op":"lease","environment":"preprod","operator":"alice@laptop","args":{"purpose":"restart"}}`,
				`{"id":2,"protocol":1,"op":"restart","environment":"preprod"}`,
				`{"id":3,"protocol":1,"op":"verify","environment":"preprod","args":{"settle_ms":50}}`,
				`{"id":4,"protocol":1,"op":"record","environment":"preprod","args":{"result":"succeeded"}}`,
				`{"id":5,"protocol":1,"op":"history","environment":"preprod"}`,
			}, "\n")+"\n", alice)
			if status != 0 || errs != "" {
				t.Fatalf("status %d, %s", status, errs)
			}
			results := map[int64]json.RawMessage{}
			for line := range strings.Lines(out) {
				var event proto.Event
				if err := json.Unmarshal([]byte(line), &event); err != nil || event.Event == proto.EventError {
					t.Fatalf("%s: %v", line, err)
				}
				if event.Event == proto.EventDone {
					results[event.ID] = event.Result
				}
			}
			var verified proto.VerifyResult
			if err := json.Unmarshal(results[3], &verified); err != nil || !verified.OK() || !verified.Units[0].NewCode {
				t.Errorf("verify: %s", results[3])
			}
			var history proto.History
			if err := json.Unmarshal(results[5], &history); err != nil || len(history.Entries) < 3 || history.Entries[0].From != "192.0.2.7" {
				t.Errorf("history: %s", results[5])
			}
		})
	}
}

// TestCallerGoes: a caller that vanishes gives the host back, and Exec returns.
func TestCallerGoes(t *testing.T) {
	h := boot(t, nil)
	ctx, hangUp := context.WithCancel(t.Context())
	stdin, typed := io.Pipe()
	heard, stdout := io.Pipe()
	done := make(chan int)
	go func() { done <- h.Exec(ctx, "rp-agent rpc", alice, stdin, stdout, io.Discard) }()
	lines := proto.NewReader(heard)
	if _, err := lines.ReadLine(); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(typed, `{"id":1,"protocol":1,"op":"lease","environment":"preprod","args":{"purpose":"deploy"}}`+"\n")
	if line, err := lines.ReadLine(); err != nil || !strings.Contains(string(line), `"done"`) {
		t.Fatalf("%s, %v", line, err)
	}
	hangUp()
	<-done
	_ = typed.Close()
	for {
		_, out, _ := run(t, h, "rp-agent history --json", "", alice)
		if strings.Contains(out, "lease-end") {
			break
		}
		if t.Context().Err() != nil {
			t.Fatal("the lease was not given back")
		}
	}
}

// TestCloseEndsConversations: nobody keeps a host up by not hanging up.
func TestCloseEndsConversations(t *testing.T) {
	h := boot(t, nil)
	stdin, typed := io.Pipe()
	defer typed.Close()
	heard, stdout := io.Pipe()
	done := make(chan int)
	go func() { done <- h.Exec(context.Background(), "rp-agent rpc", alice, stdin, stdout, io.Discard) }()
	if _, err := proto.NewReader(heard).ReadLine(); err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	<-done
}
