package hostile_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/re-connect/rpctl/proto"
)

// TestTrustedHostsThatSayMore: eve has got a line of her own into prod's trusted hosts, as text that an installer took for
// a host's key. With none of these files her receipt counts, and with the pinned one alone preprod's does.
func TestTrustedHostsThatSayMore(t *testing.T) {
	l := newLiar(t)
	file := filepath.Join(l.lab.Dir(), "hosts/prod/rp-prod.state/trusted_hosts")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pinned := strings.TrimSpace(string(data))
	eve := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(l.eve.PublicKey())))
	line := func(name string) string { return name + ` namespaces="applied@rpctl" ` + eve }
	for name, text := range map[string]string{
		"a second line of the host":  pinned + "\n" + line("rp-preprod") + "\n",
		"her line before the host's": line("rp-preprod") + "\n" + pinned + "\n",
		"a line behind a return":     pinned + "\r" + line("rp-preprod") + "\n",
		"a second key in the line":   pinned + " " + eve + "\n",
		"every host":                 pinned + "\n" + line("*") + "\n",
		"two names":                  pinned + "\n" + line("rp-preprod,rp-eve") + "\n",
		"an authority":               pinned + "\nrp-eve cert-authority " + eve + "\n",
		"no namespace":               pinned + "\nrp-eve " + eve + "\n",
		"a name of her own":          pinned + "\n" + line("rp-eve") + "\n", // well formed: it opens nothing for preprod's name
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			args := l.start(t)
			args.Receipts = []proto.Signed{sign(t, l.eve, proto.NamespaceApplied, l.changed(t, nil))}
			if err := l.ask(prod, proto.OpJobStart, l.intended(t, args, nil), nil); err == nil {
				t.Fatal("her receipt opened gate 4")
			}
			if told := l.effects(t, "prod"); len(told.Real()) > 0 {
				t.Fatalf("the application was changed: %+v", told.Real())
			}
		})
	}
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
	if job := l.finished(t, prod, l.started(t, prod, l.start(t))); job.State != proto.JobSucceeded {
		t.Errorf("the honest start: %s, %v", job.State, job.Error)
	}
}
