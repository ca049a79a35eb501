package connect

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/lab/sshhost"
	"github.com/re-connect/rpctl/lab/wire"
)

// ofGo is what only Go's libraries say, and no person.
var ofGo = regexp.MustCompile(`EOF|\b(read|write) tcp|<nil>|closed network|unexpected packet`)

// TestLostOnTheWay cuts a connection here and there between TCP and the start of a command: what is told says
// that it was lost and what to type, in words for people.
func TestLostOnTheWay(t *testing.T) {
	const apart, handshake = 151, 3000
	b := newBench(t)
	server := b.start(sshhost.Options{})
	proxy, err := wire.Listen(server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Close)
	fmt.Fprintf(&b.config, "Host pp1\n  HostName 127.0.0.1\n  Port %d\n  User deploy\n  UserKnownHostsFile %s\n  GlobalKnownHostsFile none\n  IdentityFile %s\n  IdentitiesOnly yes\n",
		proxy.Addr().Port, b.write("known_pp1", server.KnownAs(proxy.Addr())+"\n"), b.path("id"))
	dialer := b.dialer(Options{})
	failures := 0
	for n := int64(0); n < handshake; n += apart {
		for _, cut := range []wire.Cut{{After: n}, {After: n, How: wire.Reset}, {After: n, Up: true}, {After: n, Up: true, How: wire.Reset}} {
			proxy.CutNext(cut)
			conn, err := dialer.Dial(t.Context(), "pp1")
			if err == nil {
				_, err = conn.Start(t.Context(), "rp-agent rpc")
				conn.Close()
			}
			if err == nil {
				continue // the cut comes later
			}
			failures++
			var failed *exit.Error
			if !errors.As(err, &failed) {
				t.Errorf("cut %+v: %v", cut, err)
			} else if failed.Code != exit.Unreachable || ofGo.MatchString(failed.Message) || !strings.HasPrefix(failed.Next, "ssh -v") {
				t.Errorf("cut %+v: %v, next %q", cut, err, failed.Next)
			}
		}
	}
	if failures < 2*handshake/apart {
		t.Errorf("only %d connections were lost", failures)
	}
}
