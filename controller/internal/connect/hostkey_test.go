package connect

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"

	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/lab/sshhost"
)

func TestHostKeys(t *testing.T) {
	b := newBench(t)
	host := b.start(sshhost.Options{})
	other, _ := newKey(t)
	port := host.Addr().Port
	line := host.KnownHostsLine()
	keyOnly := line[strings.Index(line, " ")+1:]
	hashed := xknownhosts.HashHostname(fmt.Sprintf("[127.0.0.1]:%d", port)) + " " + keyOnly
	fingerprint := ssh.FingerprintSHA256(host.HostKey())
	otherKey := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(other.PublicKey())))
	cases := []struct {
		name, known, more, message, next string
	}{
		{name: "known", known: line},
		{name: "hashed", known: hashed},
		{name: "by alias with a port", known: "[my.alias]:2222 " + keyOnly, more: "HostKeyAlias [My.Alias]:2222"},
		{name: "by alias", known: "my.alias " + keyOnly, more: "HostKeyAlias My.Alias"},
		{name: "without port", known: "127.0.0.1 " + keyOnly},
		{name: "beside a broken line", known: "garbage\n# comment\nx ssh-xmss AAAA\n" + line},
		{name: "beside a key of another type", known: "x ssh-rsa AAAA\n" + line},
		{name: "unknown", known: "", message: "unknown host key: ED25519 " + fingerprint, next: "ssh -o StrictHostKeyChecking=ask -F "},
		{name: "only the address is known", known: line, more: "HostKeyAlias elsewhere", message: "unknown host key", next: "ssh -o Strict"},
		{name: "changed", known: fmt.Sprintf("# first line\n[127.0.0.1]:%d %s", port, otherKey), message: "known is ED25519 " + ssh.FingerprintSHA256(other.PublicKey()) + " at ", next: "ssh-keygen -f "},
		{name: "changed beside a broken line", known: fmt.Sprintf("garbage\n[127.0.0.1]:%d %s", port, otherKey), message: "/kh:2;", next: "ssh-keygen -f "},
		{name: "revoked", known: line + "\n@revoked * " + keyOnly, message: "is revoked by "},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := &bench{t: t, folder: t.TempDir(), key: b.key, secret: b.secret}
			b.writeKey("id", b.secret)
			kh := b.write("kh", c.known+"\n")
			fmt.Fprintf(&b.config, "Host pp1\n  HostName 127.0.0.1\n  Port %d\n  User deploy\n  UserKnownHostsFile %s %s\n  GlobalKnownHostsFile none\n  IdentityFile %s\n  %s\n",
				port, b.path("absent"), kh, b.path("id"), c.more)
			_, err := b.dial("pp1")
			if c.message == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			checkFailure(t, err, exit.Unreachable, c.message, c.next)
		})
	}
}

// FuzzKnownHosts holds that no file makes the set unreadable, and that a good line counts
// whatever stands around it.
func FuzzKnownHosts(f *testing.F) {
	const good = "known.example ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILHtNoIBVbDd6xR+EMFPR1KJVUIXIqZsLn+rzC2lerns"
	f.Add([]byte("x ssh-xmss AAAA\n"), []byte("@revoked"))
	f.Add([]byte("|1|a|b ssh-ed25519 AAAA\n# c\n"), []byte("[x ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILHtNoIBVbDd6xR+EMFPR1KJVUIXIqZsLn+rzC2lerns"))
	f.Add([]byte("@cert-authority *,! ssh-rsa x\n"), []byte("\x00"))
	f.Fuzz(func(t *testing.T, before, after []byte) {
		file := filepath.Join(t.TempDir(), "kh")
		content := fmt.Sprintf("%s\n%s\n%s\n", before, good, after)
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		set, err := readKnownHosts([]string{file})
		if err != nil {
			t.Fatalf("%q: %v", content, err)
		}
		if len(set.db.HostKeys("known.example:22")) == 0 {
			t.Errorf("%q: the good line does not count", content)
		}
	})
}
