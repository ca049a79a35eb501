package agentclient

import (
	"bufio"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/proto"
)

// answer greets and answers each request with the lines that reply returns for it.
func answer(reply func(proto.Line) []string) func(*bufio.Reader, io.Writer, io.Writer) int {
	return func(stdin *bufio.Reader, stdout, _ io.Writer) int {
		say(stdout, goodHello)
		for {
			line, ok := nextRequest(stdin)
			if !ok {
				return 0
			}
			say(stdout, reply(line)...)
		}
	}
}

func TestCall(t *testing.T) {
	var asked proto.Line
	client, _ := open(t, answer(func(line proto.Line) []string {
		asked = line
		return []string{
			`{"event":"unit","id":1,"unit":{"unit":"w@1.service","phase":"queued"}}`,
			`{"event":"weather","id":99,"sky":"blue"}`,
			`{"event":"log","id":1,"log":{"message":"hi"},"new_field":1}`,
			`{"event":"done","id":1,"result":{"name":"42","path":"/p","new_field":2}}`,
		}
	}))
	var release proto.Release
	var kinds []string
	err := client.Call(t.Context(), proto.OpRelease, map[string]int{"n": 3}, &release, func(e proto.Event) {
		kinds = append(kinds, string(e.Event))
	})
	if err != nil {
		t.Fatal(err)
	}
	if release.Name != "42" || strings.Join(kinds, ",") != "unit,log" {
		t.Errorf("release %+v, events %v", release, kinds)
	}
	want := `{"id":1,"protocol":1,"op":"release","environment":"preprod","operator":"alice@laptop","args":{"n":3}}`
	if got := encode(t, asked); got != want {
		t.Errorf("asked %s\nwant  %s", got, want)
	}
	hello, err := client.Hello(t.Context())
	if err != nil || hello.Host != "pp1" {
		t.Errorf("Hello: %+v, %v", hello, err)
	}
}

// TestFirstCallDoesNotWaitForGreeting holds the round trip that it saves: this host
// says nothing at all until the request has reached it.
func TestFirstCallDoesNotWaitForGreeting(t *testing.T) {
	client, _ := open(t, func(stdin *bufio.Reader, stdout, _ io.Writer) int {
		if _, ok := nextRequest(stdin); !ok {
			return 1
		}
		say(stdout, goodHello, `{"event":"done","id":1,"result":{}}`)
		return 0
	})
	if err := client.Call(t.Context(), proto.OpStatus, nil, nil, nil); err != nil {
		t.Fatal(err)
	}
}

func TestSeveralCallsInOrder(t *testing.T) {
	var last int64
	client, _ := open(t, answer(func(line proto.Line) []string {
		if line.ID != last+1 {
			t.Errorf("request %d came after %d", line.ID, last)
		}
		last = line.ID
		return []string{encode(t, proto.Event{Event: proto.EventDone, ID: line.ID, Result: []byte(`{}`)})}
	}))
	done := make(chan error)
	const calls = 20
	for range calls {
		go func() { done <- client.Call(context.Background(), proto.OpStatus, nil, nil, nil) }()
	}
	for range calls {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func checkFailure(t *testing.T, err error, code exit.Code, message, next string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	failure := exit.From(err)
	if failure.Code != code || !strings.HasPrefix(failure.Message, message) || !strings.HasPrefix(failure.Next, next) {
		t.Errorf("got %s %q, next %q\nwant %s %q, next %q", failure.Code, failure.Message, failure.Next, code, message, next)
	}
	if failure.Host != "pp1" {
		t.Errorf("host %q, want pp1", failure.Host)
	}
}

func TestBrokenAnswers(t *testing.T) {
	cases := []struct{ name, stdout, message string }{
		{"no JSON", "Segmentation fault \x1b[2J\n", `does not speak the protocol: it sent a line that is no event: "Segmentation fault \x1b[2J"`},
		{"JSON, but no event", "[1]\n", "does not speak the protocol: it sent a line that is no event"},
		{"no kind", "{}\n", "does not speak the protocol: it sent a line that is no event"},
		{"greets twice", goodHello + "\n", "does not speak the protocol: it greets twice"},
		{"too long", strings.Repeat("z", proto.MaxLine+1) + "\n", "does not speak the protocol: a line is longer"},
		{"unknown request", `{"event":"done","id":5}` + "\n", "does not speak the protocol: it answers request 5, which was not asked"},
		{"no request", `{"event":"done"}` + "\n", "does not speak the protocol: it answers request 0, which was not asked"},
		{"unit without unit", `{"event":"unit","id":1}` + "\n", `does not speak the protocol: it sent an event "unit" without its content`},
		{"error without error", `{"event":"error","id":1}` + "\n", `does not speak the protocol: it sent an event "error" without its content`},
		{"result that does not fit", `{"event":"done","id":1,"result":[]}` + "\n", "does not speak the protocol: its answer cannot be read"},
		{"gives up", `{"event":"error","error":{"code":"storage","message":"disk full"}}` + "\n", "disk full"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			client, _ := open(t, answer(func(proto.Line) []string { return []string{strings.TrimSuffix(c.stdout, "\n")} }))
			var result proto.Release
			err := client.Call(t.Context(), proto.OpRelease, nil, &result, nil)
			checkFailure(t, err, exit.HostFailed, c.message, "")
		})
	}
}

func TestSecondAnswerBreaksConversation(t *testing.T) {
	client, _ := open(t, func(stdin *bufio.Reader, stdout, _ io.Writer) int {
		say(stdout, goodHello)
		nextRequest(stdin)
		say(stdout, `{"event":"done","id":1}`, `{"event":"done","id":1}`)
		nextRequest(stdin)
		return 0
	})
	if err := client.Call(t.Context(), proto.OpStatus, nil, nil, nil); err != nil {
		t.Fatal(err)
	}
	err := client.Call(t.Context(), proto.OpStatus, nil, nil, nil)
	checkFailure(t, err, exit.HostFailed, "does not speak the protocol: it answers request 1, which is over", "")
}

func TestRefusalKeepsHolder(t *testing.T) {
	client, _ := open(t, answer(func(proto.Line) []string {
		return []string{`{"event":"error","id":1,"error":{"code":"lease_held","message":"held\u009b","next":"n","holder":{"operator":"bob\u202e","job":"abcdefgh"}}}`}
	}))
	err := client.Call(t.Context(), proto.OpLease, nil, nil, nil)
	checkFailure(t, err, exit.Refused, `held\u009b`, "")
	var refusal *proto.Error
	if !errors.As(err, &refusal) || refusal.Holder == nil || refusal.Holder.Operator != `bob\u202e` || refusal.Holder.Job != "abcdefgh" {
		t.Errorf("the holder is lost: %+v", refusal)
	}
}

func TestLostInMidCall(t *testing.T) {
	cases := []struct {
		name, last string
		status     int
		code       exit.Code
		message    string
	}{
		{"connection", "", -1, exit.Unreachable, "lost the connection during restart: outcome unknown"},
		{"in mid-line", `{"event":"done","id":1,"resu`, -1, exit.Unreachable, "lost the connection during restart: outcome unknown (a line was cut off)"},
		{"agent died", "", 2, exit.HostFailed, `lost the connection during restart: outcome unknown (rp-agent ended with status 2: "panic: \x1boops")`},
		{"agent closed", "", 0, exit.HostFailed, "lost the connection during restart: outcome unknown (rp-agent closed it)"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			client, _ := open(t, func(stdin *bufio.Reader, stdout, stderr io.Writer) int {
				say(stdout, goodHello)
				nextRequest(stdin)
				say(stdout, `{"event":"unit","id":1,"unit":{"unit":"w@1.service","phase":"queued"}}`)
				_, _ = io.WriteString(stdout, c.last)
				if c.status == 2 {
					_, _ = io.WriteString(stderr, "panic: \x1boops\n")
				}
				return c.status
			})
			events := 0
			err := client.Call(t.Context(), proto.OpRestart, nil, nil, func(proto.Event) { events++ })
			var lost *LostError
			if !errors.As(err, &lost) || lost.Op != proto.OpRestart {
				t.Fatalf("got %v, want a LostError of restart", err)
			}
			checkFailure(t, err, c.code, c.message, "rpctl status --env preprod")
			if events != 1 {
				t.Errorf("%d events were seen, want the one that came before the loss", events)
			}
		})
	}
}

func TestCancelConfirmed(t *testing.T) {
	asked := make(chan struct{})
	client, _ := open(t, func(stdin *bufio.Reader, stdout, _ io.Writer) int {
		say(stdout, goodHello)
		nextRequest(stdin)
		close(asked)
		line, _ := nextRequest(stdin)
		if line.Cancel != 1 {
			t.Errorf("got %+v, want a cancel of 1", line)
		}
		say(stdout, `{"event":"error","id":1,"error":{"code":"cancelled","message":"stopped: 2 of 3 units restarted"}}`)
		nextRequest(stdin)
		return 0
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }()
	err := client.Call(ctx, proto.OpRestart, nil, nil, nil)
	checkFailure(t, err, exit.Interrupted, `interrupted during restart, and the host stopped it: "stopped: 2 of 3 units restarted"`, "rpctl status --env preprod")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v is no context.Canceled", err)
	}
}

func TestCancelUnanswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := open(t, func(stdin *bufio.Reader, stdout, _ io.Writer) int {
			say(stdout, goodHello)
			for {
				if _, ok := nextRequest(stdin); !ok {
					return 0
				}
			}
		})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		start := time.Now()
		err := client.Call(ctx, proto.OpRestart, nil, nil, nil)
		checkFailure(t, err, exit.Interrupted, "interrupted during restart: outcome unknown", "rpctl status --env preprod")
		if waited := time.Since(start); waited != 3*time.Second {
			t.Errorf("returned after %s, want 1 s and CancelWithin", waited)
		}
		client.Close()
	})
}

func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := open(t, answer(func(proto.Line) []string { return []string{`{"event":"later"}`} }))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := client.Call(ctx, proto.OpStatus, nil, nil, nil)
		checkFailure(t, err, exit.Failed, "no answer to status in time", "")
		client.Close()
	})
}

func TestPings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var times []time.Duration
		start := time.Now()
		client, _ := open(t, func(stdin *bufio.Reader, stdout, _ io.Writer) int {
			say(stdout, goodHello)
			for {
				line, ok := nextLine(stdin)
				if !ok {
					return 0
				}
				if line.Ping {
					times = append(times, time.Since(start))
				}
			}
		})
		time.Sleep(35 * time.Second)
		client.Close()
		synctest.Wait()
		// The first one acknowledges the greeting: see acknowledge.
		if want := []time.Duration{0, 10 * time.Second, 20 * time.Second, 30 * time.Second}; !slices.Equal(times, want) {
			t.Errorf("pings at %v, want %v", times, want)
		}
	})
}

// TestHostThatDoesNotRead holds that a full pipe blocks neither Call's context nor Close.
func TestHostThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		client, _ := open(t, func(_ *bufio.Reader, stdout, _ io.Writer) int {
			say(stdout, goodHello)
			<-release
			return 0
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for range 40 {
			err := client.Call(ctx, proto.OpStatus, strings.Repeat("a", 8000), nil, nil)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("got %v", err)
			}
		}
		client.Close()
		close(release)
	})
}

func TestAfterClose(t *testing.T) {
	client, _ := open(t, answer(func(proto.Line) []string { return nil }))
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	if err := client.Call(t.Context(), proto.OpStatus, nil, nil, nil); err == nil {
		t.Error("a call after Close worked")
	}
}

func TestArgumentsTooLong(t *testing.T) {
	client, _ := open(t, answer(func(proto.Line) []string { return nil }))
	err := client.Call(t.Context(), proto.OpStatus, strings.Repeat("a", proto.MaxLine), nil, nil)
	if exit.From(err).Code != exit.BadInput {
		t.Errorf("got %v", err)
	}
}

func TestStartFails(t *testing.T) {
	refused := &exit.Error{Code: exit.Unreachable, Message: "refused"}
	_, err := Open(t.Context(), &fakeHost{startErr: refused}, Options{Host: "pp1"})
	checkFailure(t, err, exit.Unreachable, "refused", "")
}

func FuzzReceive(f *testing.F) {
	f.Add([]byte(goodHello + "\n" + `{"event":"done","id":1,"result":{"name":"1"}}` + "\n"))
	f.Add([]byte("noise" + goodHello + "\n" + `{"event":"error","id":1,"error":{"code":"host","message":"\u001b"}}` + "\n"))
	f.Add([]byte(goodHello + "\nnull\n"))
	f.Add([]byte(goodHello + "\n" + `{"event":"output","id":1,"output":{"stream":"stdout","offset":0,"length":2}}` + "\n\xff\n\n"))
	f.Add([]byte(goodHello + "\n" + `{"event":"unit","id":1,"unit":{}}` + "\n" + `{"event":"done","id":2}`))
	f.Fuzz(func(t *testing.T, stream []byte) {
		var warned strings.Builder
		client, err := Open(t.Context(), &fakeHost{run: func(stdin *bufio.Reader, stdout, stderr io.Writer) int {
			go func() { _, _ = io.Copy(io.Discard, stdin) }()
			_, _ = stderr.Write(stream)
			_, _ = stdout.Write(stream)
			return -1
		}}, Options{Host: "pp1", Warn: func(_, text string) { warned.WriteString(text) }})
		if err != nil {
			t.Fatal(err)
		}
		var release proto.Release
		err = client.Call(t.Context(), proto.OpRelease, nil, &release, func(proto.Event) {})
		if err != nil && strings.ContainsAny(err.Error(), "\x1b\x07\n\r") {
			t.Errorf("the error would act on a terminal: %q", err)
		}
		client.Close()
		if strings.ContainsAny(warned.String(), "\x1b\x07\n\r") {
			t.Errorf("a warning would act on a terminal: %q", warned.String())
		}
	})
}
