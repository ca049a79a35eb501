package connect

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/internal/signature"
)

// signedBy signs with the key for alias pp1 and says whether it was the wanted one.
func signedBy(t *testing.T, d *Dialer, file string, want ssh.PublicKey) error {
	t.Helper()
	key, err := d.SigningKey(t.Context(), "pp1", file)
	if err != nil {
		return err
	}
	defer key.Close()
	signed, err := key.Sign("approval@rpctl", "body\n")
	if err != nil {
		return err
	}
	_, err = signature.Signers{{Principal: "me", Key: want}}.Verify(signed, "approval@rpctl", time.Now())
	return err
}

func TestSigningKey(t *testing.T) {
	held, heldSecret := newKey(t)
	other, otherSecret := newKey(t)
	pass := func(context.Context, string) ([]byte, error) { return []byte("pass"), nil }
	for name, c := range map[string]struct {
		prepare func(b *bench) (file string, want ssh.PublicKey)
		ask     func(context.Context, string) ([]byte, error)
		bad     bool
	}{
		"the login's key file": {prepare: func(b *bench) (string, ssh.PublicKey) { return "", b.key.PublicKey() }},
		"a named file": {prepare: func(b *bench) (string, ssh.PublicKey) {
			return b.writeKey("other", otherSecret), other.PublicKey()
		}},
		"a named public half, its key in the agent": {prepare: func(b *bench) (string, ssh.PublicKey) {
			b.t.Setenv("SSH_AUTH_SOCK", b.serveAgent(b.secret, heldSecret))
			return b.write("held.pub", string(ssh.MarshalAuthorizedKey(held.PublicKey()))), held.PublicKey()
		}},
		"a locked file": {ask: pass, prepare: func(b *bench) (string, ssh.PublicKey) {
			return b.write("locked", lockedKey), publicKey(b.t)
		}},
		"a locked file, nobody to ask": {bad: true, prepare: func(b *bench) (string, ssh.PublicKey) {
			return b.write("locked", lockedKey), publicKey(b.t)
		}},
		"no such file": {bad: true, prepare: func(b *bench) (string, ssh.PublicKey) { return b.path("nowhere"), nil }},
		"no key at all": {bad: true, prepare: func(b *bench) (string, ssh.PublicKey) {
			_ = os.Remove(b.path("id"))
			return "", nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			fmt.Fprintf(&b.config, "Host pp1\n  HostName 127.0.0.1\n  User deploy\n  IdentityFile %s\n", b.path("id"))
			file, want := c.prepare(b)
			err := signedBy(t, b.dialer(Options{Passphrase: c.ask}), file, want)
			if (err != nil) != c.bad {
				t.Fatalf("got %v", err)
			}
			if c.bad && exit.From(err).Next == "" && file != b.path("nowhere") {
				t.Errorf("no next command with %v", err)
			}
		})
	}
}
