package connect

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/lab/sshhost"
)

// lockedKey has the passphrase "pass", and one round of bcrypt so that tests need not wait:
// ssh-keygen -t ed25519 -a 1 -N pass. It opens nothing but hosts of these tests.
const lockedKey = `-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABBKsVYTWs
FvodYmNLi5H5mGAAAAAQAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAILHtNoIBVbDd6xR+
EMFPR1KJVUIXIqZsLn+rzC2lernsAAAAkEvblurETNKtrSCMx6HsrkDCWatvz+DsapeNZd
lm7QvLILYtViqxIt8KRQYdzxEmRoiutYtrLUGIuCt8ZpMEBfGHmH11bxZ6VBaitVtuJ2p1
d0W/CriiNWJT/6U/mgaY36DPcDXYKHqYVd80QrDxL5vFJsrYk6lQWChiAz+M51XK/Aodox
heVGmSv2NhukvlJw==
-----END OPENSSH PRIVATE KEY-----
`

const lockedPublic = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILHtNoIBVbDd6xR+EMFPR1KJVUIXIqZsLn+rzC2lerns test"

// publicKey is lockedKey's public half.
func publicKey(t *testing.T) ssh.PublicKey {
	t.Helper()
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(lockedPublic))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestKeys(t *testing.T) {
	b := newBench(t)
	stranger, strangerSecret := newKey(t)
	cases := []struct {
		name    string
		prepare func(b *bench)
		ask     func(ctx context.Context, file string) ([]byte, error)
		locked  bool // the host takes lockedKey alone
		offers  int
		message string
		next    string
	}{
		{name: "key file", prepare: func(b *bench) { b.writeKey("id", b.secret) }, offers: 1},
		{name: "no key", prepare: func(*bench) {}, message: "no usable key for user deploy: the agent holds none and no IdentityFile exists", next: "ssh -v"},
		{name: "wrong key", prepare: func(b *bench) { b.writeKey("id", strangerSecret) }, offers: 1,
			message: "no usable key for user deploy; refused: ED25519 " + ssh.FingerprintSHA256(stranger.PublicKey()) + " of ", next: "ssh -v"},
		{name: "garbage", prepare: func(b *bench) { b.write("id", "no key\n") }, message: "no usable key for user deploy; not offered: ", next: "ssh -v"},
		{name: "readable by others", prepare: func(b *bench) {
			if err := os.Chmod(b.writeKey("id", b.secret), 0o644); err != nil {
				b.t.Fatal(err)
			}
		}, message: "mode 0644 lets others read it"},
		{name: "passphrase, nobody to ask", prepare: func(b *bench) { b.write("id", lockedKey) },
			message: "it has a passphrase, and nobody can be asked", next: "ssh-add "},
		{name: "passphrase", prepare: func(b *bench) { b.write("id", lockedKey) }, locked: true, offers: 1,
			ask: func(context.Context, string) ([]byte, error) { return []byte("pass"), nil }},
		{name: "wrong passphrase", prepare: func(b *bench) { b.write("id", lockedKey) }, locked: true, offers: 1,
			ask: func(context.Context, string) ([]byte, error) { return []byte("no"), nil }, message: "it was wrong 3 times", next: "ssh-add"},
		{name: "gives up", prepare: func(b *bench) { b.write("id", lockedKey) }, locked: true, offers: 1,
			ask: func(context.Context, string) ([]byte, error) { return nil, errors.New("given up") }, message: "no passphrase for", next: "ssh-add"},
		{name: "no question where the host refuses the key", prepare: func(b *bench) { b.write("id", lockedKey) }, offers: 1,
			ask:     func(context.Context, string) ([]byte, error) { panic("asked for a key that the host refuses") },
			message: "no usable key for user deploy; refused: "},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			offers := 0
			options := sshhost.Options{OnOffer: func(string, ssh.PublicKey) { offers++ }}
			if c.locked {
				options.Authorized = []ssh.PublicKey{publicKey(t)}
			}
			host := b.start(options)
			b := &bench{t: t, folder: t.TempDir(), key: b.key, secret: b.secret}
			b.alias("pp1", host)
			c.prepare(b)
			conn, err := b.dialer(Options{Passphrase: c.ask}).Dial(t.Context(), "pp1")
			if c.message != "" {
				checkFailure(t, err, exit.Unreachable, c.message, c.next)
			} else if err != nil {
				t.Fatal(err)
			} else {
				conn.Close()
			}
			host.Close()
			if offers != c.offers {
				t.Errorf("%d offers were made, want %d", offers, c.offers)
			}
		})
	}
}

func TestPassphraseIsAskedOnce(t *testing.T) {
	b := newBench(t)
	b.write("id", lockedKey)
	b.alias("pp1", b.start(sshhost.Options{Authorized: []ssh.PublicKey{publicKey(t)}}))
	b.alias("pp2", b.start(sshhost.Options{Authorized: []ssh.PublicKey{publicKey(t)}}))
	asked := 0
	dialer := b.dialer(Options{Passphrase: func(context.Context, string) ([]byte, error) {
		asked++
		return []byte("pass"), nil
	}})
	var both sync.WaitGroup
	for _, alias := range []string{"pp1", "pp2"} {
		both.Go(func() {
			conn, err := dialer.Dial(t.Context(), alias)
			if err != nil {
				t.Error(err)
				return
			}
			conn.Close()
		})
	}
	both.Wait()
	if asked != 1 {
		t.Errorf("asked %d times, want once", asked)
	}
}

// serveAgent is an ssh-agent on a socket that holds keys.
func (b *bench) serveAgent(secrets ...ed25519.PrivateKey) string {
	b.t.Helper()
	keyring := agent.NewKeyring()
	for i, secret := range secrets {
		if err := keyring.Add(agent.AddedKey{PrivateKey: &secret, Comment: fmt.Sprint(i)}); err != nil {
			b.t.Fatal(err)
		}
	}
	socket := b.path("agent.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_ = agent.ServeAgent(keyring, conn)
			}()
		}
	}()
	return socket
}

func TestAgent(t *testing.T) {
	b := newBench(t)
	good := b.secret
	var crowd []ed25519.PrivateKey
	for range 8 {
		_, secret := newKey(t)
		crowd = append(crowd, secret)
	}
	public := string(ssh.MarshalAuthorizedKey(b.key.PublicKey()))
	cases := []struct {
		name    string
		held    []ed25519.PrivateKey
		lines   []string
		prepare func(b *bench)
		offers  int
		message string
	}{
		{name: "one key", held: []ed25519.PrivateKey{good}, lines: []string{"IdentitiesOnly no"}, offers: 1},
		{name: "others first", held: append(crowd[:2:2], good), lines: []string{"IdentitiesOnly no"}, offers: 3},
		{name: "IdentityFile names it by its .pub", held: append(crowd, good), lines: []string{"IdentitiesOnly no"},
			prepare: func(b *bench) { b.write("id.pub", public) }, offers: 1},
		{name: "IdentityFile is a .pub", held: append(crowd, good), lines: []string{"IdentityFile %F/own.pub"},
			prepare: func(b *bench) { b.write("own.pub", public) }, offers: 1},
		{name: "the file is there too, offered once", held: append(crowd[:2:2], good), lines: []string{"IdentitiesOnly no"},
			prepare: func(b *bench) { b.writeKey("id", b.secret) }, offers: 1},
		{name: "IdentitiesOnly keeps the others back", held: crowd, lines: nil, offers: 0, message: "no usable key"},
		{name: "too many", held: append(crowd, good), lines: []string{"IdentitiesOnly no"}, offers: 6, message: "too many authentication failures"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			offers := 0
			host := b.start(sshhost.Options{OnOffer: func(string, ssh.PublicKey) { offers++ }})
			b := &bench{t: t, folder: t.TempDir(), key: b.key, secret: b.secret}
			lines := append([]string{"IdentityAgent " + b.serveAgent(c.held...)}, c.lines...)
			for i := range lines {
				lines[i] = strings.ReplaceAll(lines[i], "%F", b.folder)
			}
			b.alias("pp1", host, lines...)
			if c.prepare != nil {
				c.prepare(b)
			}
			conn, err := b.dial("pp1")
			if c.message != "" {
				checkFailure(t, err, exit.Unreachable, c.message, "ssh ")
			} else if err != nil {
				t.Fatal(err)
			} else {
				conn.Close()
			}
			host.Close()
			if offers != c.offers {
				t.Errorf("%d offers were made, want %d", offers, c.offers)
			}
		})
	}
}

func TestDeadAgentIsNoObstacle(t *testing.T) {
	b := newBench(t)
	b.alias("pp1", b.start(sshhost.Options{}), "IdentityAgent "+b.path("nobody"))
	if _, err := b.dial("pp1"); err != nil {
		t.Fatal(err)
	}
}
