package connect

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

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

func (b *bench) writeKey(name string, secret ed25519.PrivateKey) string {
	b.t.Helper()
	block, err := ssh.MarshalPrivateKey(secret, "")
	if err != nil {
		b.t.Fatal(err)
	}
	return b.write(name, string(pem.EncodeToMemory(block)))
}

// writePKCS8 writes the bench's key in a form that names no type of its own.
func (b *bench) writePKCS8(name string) {
	b.t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(b.secret)
	if err != nil {
		b.t.Fatal(err)
	}
	b.write(name, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
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
	const nobody = 1 // tcpmux, which no system starts; a port that was free a moment ago may be another test's now
	fmt.Fprintf(&b.config, "Host refusing\n  HostName 127.0.0.1\n  Port %d\n", nobody)
	fmt.Fprintf(&b.config, "Host nameless\n  HostName rpctl-test.invalid\n")
	b.alias("dropping", b.start(sshhost.Options{Faults: sshhost.Faults{DropHandshake: true}}))
	b.alias("stalling", b.start(sshhost.Options{Faults: sshhost.Faults{StallHandshake: true}}))
	for alias, want := range map[string][2]string{
		"refusing": {"connection refused by 127.0.0.1:", "ssh -v"},
		"nameless": {"cannot resolve the name rpctl-test.invalid", "ssh -G"},
		"dropping": {"the host closed the connection in the SSH handshake", "ssh -v"},
		"stalling": {"the SSH handshake took longer than 100ms", "ssh -v"},
	} {
		t.Run(alias, func(t *testing.T) {
			options := Options{HandshakeWithin: 5 * time.Minute}
			if alias == "stalling" {
				options.HandshakeWithin = 100 * time.Millisecond
			}
			_, err := b.dialer(options).Dial(t.Context(), alias)
			checkFailure(t, err, exit.Unreachable, want[0], want[1])
		})
	}
}

func TestConfigurationThatNeedsSSH(t *testing.T) {
	b := newBench(t)
	b.alias("proxied", b.start(sshhost.Options{}), "ProxyCommand nc %h %p")
	_, err := b.dial("proxied")
	checkFailure(t, err, exit.Unreachable, "cannot use the ssh configuration without the ssh program: "+b.path("config")+":5: only the ssh program reads this", "ssh -V")
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
	if e, err := conn.Start(t.Context(), "hangs"); err == nil { // on a slow machine it is dead already
		if status, err := e.Wait(); err == nil {
			t.Errorf("the command ended with %d, want a lost connection", status)
		}
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
