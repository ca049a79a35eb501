package connect

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"

	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/lab/sshhost"
)

// bench is a folder with a configuration that leads to in-process hosts. Its dialers
// read it without ssh, so that these tests need none; sshd_test.go has the real one.
type bench struct {
	t      *testing.T
	folder string
	config strings.Builder
	key    ssh.Signer
	secret ed25519.PrivateKey
}

func newBench(t *testing.T) *bench {
	t.Helper()
	inHome(t)
	t.Setenv("SSH_AUTH_SOCK", "")
	b := &bench{t: t, folder: t.TempDir()}
	b.key, b.secret = newKey(t)
	b.writeKey("id", b.secret)
	return b
}

func newKey(t *testing.T) (ssh.Signer, ed25519.PrivateKey) {
	t.Helper()
	_, secret, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	return signer, secret
}

func (b *bench) path(name string) string { return filepath.Join(b.folder, name) }

func (b *bench) write(name, content string) string {
	b.t.Helper()
	if err := os.WriteFile(b.path(name), []byte(content), 0o600); err != nil {
		b.t.Fatal(err)
	}
	return b.path(name)
}

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

func (b *bench) writeKey(name string, secret ed25519.PrivateKey) string {
	b.t.Helper()
	block, err := ssh.MarshalPrivateKey(secret, "")
	if err != nil {
		b.t.Fatal(err)
	}
	return b.write(name, string(pem.EncodeToMemory(block)))
}

// start runs a host that takes the bench's key, unless options say which it takes.
func (b *bench) start(options sshhost.Options) *sshhost.Server {
	b.t.Helper()
	if options.Authorized == nil {
		options.Authorized = []ssh.PublicKey{b.key.PublicKey()}
	}
	if options.Handler == nil {
		options.Handler = echo
	}
	server, err := sshhost.Start(options)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(server.Close)
	return server
}

// alias adds a host to the configuration: known, with the bench's key, and with more lines.
func (b *bench) alias(name string, server *sshhost.Server, more ...string) {
	known := b.write("known_"+name, server.KnownHostsLine()+"\n")
	fmt.Fprintf(&b.config, "Host %s\n  HostName 127.0.0.1\n  Port %d\n  User deploy\n", name, server.Addr().Port)
	for _, line := range more {
		fmt.Fprintf(&b.config, "  %s\n", line)
	}
	fmt.Fprintf(&b.config, "  UserKnownHostsFile %s\n  GlobalKnownHostsFile none\n  IdentityFile %s\n  IdentitiesOnly yes\n", known, b.path("id"))
}

func (b *bench) dialer(options Options) *Dialer {
	options.SSHConfig = b.write("config", b.config.String())
	options.Program = "none"
	return New(options)
}

// dial connects and closes the connection at the end of the test.
func (b *bench) dial(alias string) (*Conn, error) {
	conn, err := b.dialer(Options{}).Dial(b.t.Context(), alias)
	if err == nil {
		b.t.Cleanup(func() { conn.Close() })
	}
	return conn, err
}

func echo(_ context.Context, request sshhost.Request, stdin io.Reader, stdout, stderr io.Writer) int {
	_, _ = io.WriteString(stderr, request.User+": "+request.Command)
	_, _ = io.Copy(stdout, stdin)
	return 7
}

// checkEcho runs a command on a host that echoes.
func checkEcho(t *testing.T, conn *Conn) {
	t.Helper()
	e, err := conn.Start(t.Context(), "rp-agent rpc")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(e.Stdin(), "in"); err != nil {
		t.Fatal(err)
	}
	if err := e.Stdin().Close(); err != nil {
		t.Fatal(err)
	}
	stdout, err := io.ReadAll(e.Stdout())
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := io.ReadAll(e.Stderr())
	if err != nil {
		t.Fatal(err)
	}
	status, err := e.Wait()
	if string(stdout) != "in" || string(stderr) != "deploy: rp-agent rpc" || status != 7 || err != nil {
		t.Errorf("stdout %q, stderr %q, status %d, %v", stdout, stderr, status, err)
	}
}

func checkFailure(t *testing.T, err error, code exit.Code, message, next string) {
	t.Helper()
	var failed *exit.Error
	if !errors.As(err, &failed) {
		t.Fatalf("got %v, want an exit.Error", err)
	}
	if failed.Code != code || !strings.Contains(failed.Message, message) || !strings.HasPrefix(failed.Next, next) {
		t.Errorf("got %s %q, next %q\nwant %s %q, next %q", failed.Code, failed.Message, failed.Next, code, message, next)
	}
	if failed.Host == "" {
		t.Error("the failure names no host")
	}
}

func TestDirect(t *testing.T) {
	b := newBench(t)
	b.alias("pp1", b.start(sshhost.Options{}))
	conn, err := b.dial("pp1")
	if err != nil {
		t.Fatal(err)
	}
	if conn.Via() != "direct" || conn.Client() == nil {
		t.Errorf("via %q", conn.Via())
	}
	checkEcho(t, conn)
	checkEcho(t, conn)
}

func TestBadAlias(t *testing.T) {
	for _, alias := range []string{"", "-oProxyCommand=x", "a b", "$(x)", "a\x1b"} {
		_, err := New(Options{}).Dial(t.Context(), alias)
		if exit.From(err).Code != exit.BadInput {
			t.Errorf("%q: %v", alias, err)
		}
	}
}

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

func TestJump(t *testing.T) {
	b := newBench(t)
	b.alias("bastion1", b.start(sshhost.Options{Forward: true}))
	b.alias("bastion2", b.start(sshhost.Options{Forward: true}), "ProxyJump bastion1")
	b.alias("closed", b.start(sshhost.Options{}))
	b.alias("down", b.start(sshhost.Options{Faults: sshhost.Faults{DropHandshake: true}}))
	target := b.start(sshhost.Options{})
	b.alias("one", target, "ProxyJump bastion1")
	b.alias("two", target, "ProxyJump bastion1,bastion2")
	b.alias("own", target, "ProxyJump bastion2")
	b.alias("forbidden", target, "ProxyJump closed")
	b.alias("behind-down", target, "ProxyJump bastion1,down")
	b.alias("circle", target, "ProxyJump circle")
	gone := b.start(sshhost.Options{})
	b.alias("gone", gone, "ProxyJump bastion1")
	gone.Close()
	for alias, via := range map[string]string{"one": "jump bastion1", "two": "jump bastion1,bastion2", "own": "jump bastion1,bastion2"} {
		t.Run(alias, func(t *testing.T) {
			conn, err := b.dial(alias)
			if err != nil {
				t.Fatal(err)
			}
			if conn.Via() != via {
				t.Errorf("via %q, want %q", conn.Via(), via)
			}
			checkEcho(t, conn)
		})
	}
	for alias, message := range map[string]string{
		"forbidden": "jump host closed forbids connections to 127.0.0.1:", "behind-down": "jump host down: the host closed the connection in the SSH handshake",
		"circle": "ProxyJump goes in circles", "gone": "jump host bastion1 cannot reach 127.0.0.1:",
	} {
		t.Run(alias, func(t *testing.T) {
			_, err := b.dial(alias)
			checkFailure(t, err, exit.Unreachable, message, "ssh ")
		})
	}
}

func TestUnreachable(t *testing.T) {
	b := newBench(t)
	refusing, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := refusing.Addr().(*net.TCPAddr).Port
	refusing.Close()
	healthy := b.start(sshhost.Options{})
	fmt.Fprintf(&b.config, "Host refusing\n  HostName 127.0.0.1\n  Port %d\n", port)
	fmt.Fprintf(&b.config, "Host nameless\n  HostName rpctl-test.invalid\n")
	b.alias("dropping", b.start(sshhost.Options{Faults: sshhost.Faults{DropHandshake: true}}))
	b.alias("stalling", b.start(sshhost.Options{Faults: sshhost.Faults{StallHandshake: true}}))
	b.alias("proxied", healthy, "ProxyCommand nc %h %p")
	for alias, want := range map[string][2]string{
		"refusing": {"connection refused by 127.0.0.1:", "ssh -v"},
		"nameless": {"cannot resolve the name rpctl-test.invalid", "ssh -G"},
		"dropping": {"the host closed the connection in the SSH handshake", "ssh -v"},
		"stalling": {"the SSH handshake took longer than 100ms", "ssh -v"},
		"proxied":  {"ProxyCommand is not supported: use ProxyJump", "ssh -o ControlMaster=yes -fN"},
	} {
		t.Run(alias, func(t *testing.T) {
			_, err := b.dialer(Options{HandshakeWithin: 100 * time.Millisecond}).Dial(t.Context(), alias)
			checkFailure(t, err, exit.Unreachable, want[0], want[1])
		})
	}
}

func TestInterrupted(t *testing.T) {
	b := newBench(t)
	b.alias("stalling", b.start(sshhost.Options{Faults: sshhost.Faults{StallHandshake: true}}))
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	_, err := b.dialer(Options{}).Dial(ctx, "stalling")
	checkFailure(t, err, exit.Interrupted, "interrupted", "")
}

func TestKeepaliveEndsDeadConnection(t *testing.T) {
	b := newBench(t)
	b.alias("pp1", b.start(sshhost.Options{Faults: sshhost.Faults{MuteKeepalive: true}}))
	conn, err := b.dialer(Options{KeepaliveEvery: 20 * time.Millisecond, KeepaliveWithin: 50 * time.Millisecond}).Dial(t.Context(), "pp1")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	e, err := conn.Start(t.Context(), "hangs")
	if err != nil {
		t.Fatal(err)
	}
	if status, err := e.Wait(); err == nil {
		t.Errorf("the command ended with %d, want a lost connection", status)
	}
	_, err = conn.Start(t.Context(), "again")
	if err == nil {
		t.Error("a dead connection took a command")
	}
}

func TestKeepaliveLeavesLivingConnection(t *testing.T) {
	b := newBench(t)
	b.alias("pp1", b.start(sshhost.Options{}))
	conn, err := b.dialer(Options{KeepaliveEvery: time.Millisecond}).Dial(t.Context(), "pp1")
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		checkEcho(t, conn)
	}
	conn.Close()
}

func TestCommandWithoutStatus(t *testing.T) {
	b := newBench(t)
	b.alias("pp1", b.start(sshhost.Options{Handler: func(context.Context, sshhost.Request, io.Reader, io.Writer, io.Writer) int { return -1 }}))
	conn, err := b.dial("pp1")
	if err != nil {
		t.Fatal(err)
	}
	e, err := conn.Start(t.Context(), "vanishes")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Wait(); err == nil {
		t.Error("a status came")
	}
}

// TestDeadMasterIsPassedOver: a socket that nobody listens on, one that says nothing useful.
func TestDeadMasterIsPassedOver(t *testing.T) {
	b := newBench(t)
	socket := b.path("m")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, "nonsense, and long enough to be a header")
			conn.Close()
		}
	}()
	host := b.start(sshhost.Options{})
	b.alias("absent", host, "ControlPath "+b.path("absent"))
	b.alias("nonsense", host, "ControlPath "+socket)
	for _, alias := range []string{"absent", "nonsense"} {
		conn, err := b.dial(alias)
		if err != nil {
			t.Fatal(err)
		}
		if conn.Via() != "direct" {
			t.Errorf("%s: via %q", alias, conn.Via())
		}
	}
}
