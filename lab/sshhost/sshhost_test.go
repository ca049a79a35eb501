package sshhost_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/re-connect/rpctl/lab/sshhost"
)

func newKey(t *testing.T) ssh.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// start is a host that one fresh key may enter, and a way to enter it.
func start(t *testing.T, options sshhost.Options) (*sshhost.Server, func() (*ssh.Client, error)) {
	t.Helper()
	key := newKey(t)
	options.Authorized = append(options.Authorized, key.PublicKey())
	server, err := sshhost.Start(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return server, func() (*ssh.Client, error) {
		return ssh.Dial("tcp", server.Addr().String(), &ssh.ClientConfig{
			User: "deploy", Auth: []ssh.AuthMethod{ssh.PublicKeys(key)},
			HostKeyCallback: ssh.FixedHostKey(server.HostKey()), Timeout: time.Minute,
		})
	}
}

func enter(t *testing.T, options sshhost.Options) (*sshhost.Server, *ssh.Client) {
	t.Helper()
	server, dial := start(t, options)
	client, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return server, client
}

func echo(_ context.Context, request sshhost.Request, stdin io.Reader, stdout, stderr io.Writer) int {
	_, _ = io.WriteString(stderr, request.User+": "+request.Command)
	_, _ = io.Copy(stdout, stdin)
	return 7
}

func TestExec(t *testing.T) {
	_, client := enter(t, sshhost.Options{Handler: echo, Faults: sshhost.Faults{Noise: "hi\n"}})
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	session.Stdin, session.Stdout, session.Stderr = bytes.NewBufferString("in"), &stdout, &stderr
	err = session.Run("cmd arg")
	var exited *ssh.ExitError
	if !errors.As(err, &exited) || exited.ExitStatus() != 7 {
		t.Errorf("exit: %v, want status 7", err)
	}
	if stdout.String() != "hi\nin" || stderr.String() != "deploy: cmd arg" {
		t.Errorf("stdout %q, stderr %q", stdout.String(), stderr.String())
	}
}

func TestContextEndsWithChannel(t *testing.T) {
	ended := make(chan struct{})
	started := make(chan struct{})
	_, client := enter(t, sshhost.Options{Handler: func(ctx context.Context, _ sshhost.Request, _ io.Reader, _, _ io.Writer) int {
		close(started)
		<-ctx.Done()
		close(ended)
		return -1
	}})
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	if err := session.Start("wait"); err != nil {
		t.Fatal(err)
	}
	<-started
	session.Close()
	<-ended
}

func TestRefusals(t *testing.T) {
	_, client := enter(t, sshhost.Options{})
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	if err := session.Start("cmd"); err == nil {
		t.Error("exec without a handler was accepted")
	}
	if _, err := sftp.NewClient(client); err == nil {
		t.Error("sftp without a root was accepted")
	}
	if conn, err := client.Dial("tcp", "127.0.0.1:1"); err == nil {
		conn.Close()
		t.Error("forwarding was accepted")
	}
}

func TestSFTP(t *testing.T) {
	root := t.TempDir()
	_, client := enter(t, sshhost.Options{SFTPRoot: root})
	files, err := sftp.NewClient(client)
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	file, err := files.Create("upload")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write([]byte("bytes")); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(root, "upload")); err != nil || string(got) != "bytes" {
		t.Errorf("uploaded %q, %v", got, err)
	}
}

func TestForward(t *testing.T) {
	target, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	go func() {
		conn, err := target.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.Copy(conn, conn)
	}()
	_, client := enter(t, sshhost.Options{Forward: true})
	conn, err := client.Dial("tcp", target.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("ping")); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 4)
	if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != "ping" {
		t.Errorf("got %q, %v", answer, err)
	}
}

func TestFaultsAtLogin(t *testing.T) {
	for name, faults := range map[string]sshhost.Faults{
		"refused": {RefuseAuth: true}, "dropped": {DropHandshake: true},
	} {
		t.Run(name, func(t *testing.T) {
			offered := make(chan string, 8)
			_, dial := start(t, sshhost.Options{Faults: faults, OnOffer: func(user string, _ ssh.PublicKey) { offered <- user }})
			if client, err := dial(); err == nil {
				client.Close()
				t.Error("login worked")
			}
			if faults.RefuseAuth && len(offered) != 1 {
				t.Errorf("%d offers were seen, want 1", len(offered))
			}
		})
	}
}

func TestStalledHandshakeEndsWithClose(t *testing.T) {
	server, dial := start(t, sshhost.Options{Faults: sshhost.Faults{StallHandshake: true}})
	failed := make(chan error, 1)
	go func() {
		_, err := dial()
		failed <- err
	}()
	server.Close()
	if err := <-failed; err == nil {
		t.Error("login worked")
	}
}

func TestCutAfter(t *testing.T) {
	_, client := enter(t, sshhost.Options{
		Faults: sshhost.Faults{CutAfter: 3},
		Handler: func(_ context.Context, _ sshhost.Request, _ io.Reader, stdout, _ io.Writer) int {
			_, _ = io.WriteString(stdout, "abcdef")
			return 0
		},
	})
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	var stdout bytes.Buffer
	session.Stdout = &stdout
	if err := session.Run("cmd"); err == nil {
		t.Error("the command ended well")
	}
	if got := stdout.String(); len(got) > 3 {
		t.Errorf("%q passed, want at most 3 bytes", got)
	}
	if err := client.Wait(); err == nil {
		t.Error("the connection was not cut")
	}
}

// TestIdle: a host is idle when what ran over the last connection has ended, and not before.
func TestIdle(t *testing.T) {
	began, end := make(chan struct{}), make(chan struct{})
	server, client := enter(t, sshhost.Options{Handler: func(context.Context, sshhost.Request, io.Reader, io.Writer, io.Writer) int {
		close(began)
		<-end
		return 0
	}})
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	if err := session.Start("cmd"); err != nil {
		t.Fatal(err)
	}
	<-began
	client.Close()
	now, cancel := context.WithCancel(t.Context())
	cancel()
	if err := server.Idle(now); err == nil {
		t.Error("idle while a command runs")
	}
	close(end)
	if err := server.Idle(t.Context()); err != nil {
		t.Error(err)
	}
	if err := server.Idle(now); err != nil {
		t.Errorf("nobody is there, and still %v", err)
	}
}
