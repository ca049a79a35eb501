package upload

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"net"
	"testing"

	"golang.org/x/crypto/ssh"
)

// stalled is a host that takes an SFTP session and then says nothing any more.
type stalled struct {
	disk
	client *ssh.Client
}

func (s *stalled) Client() *ssh.Client { return s.client }

// TestUploadEndsWithItsContext: Ctrl-C must not wait for a host that does not answer.
func TestUploadEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	host := &stalled{client: connectTo(t, func(request *ssh.Request) {
		_ = request.Reply(true, nil)
		cancel()
	})}
	if _, err := To(ctx, host, "d/rp-agent", []byte("new")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// connectTo is a client of a server that calls on for each request of a session.
func connectTo(t *testing.T, on func(*ssh.Request)) *ssh.Client {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	server := &ssh.ServerConfig{NoClientAuth: true}
	server.AddHostKey(signer)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	ours, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_, channels, requests, err := ssh.NewServerConn(theirs, server)
		if err != nil {
			return
		}
		go ssh.DiscardRequests(requests)
		for offered := range channels {
			_, asked, err := offered.Accept()
			if err != nil {
				return
			}
			go func() {
				for request := range asked {
					on(request)
				}
			}()
		}
	}()
	conn, channels, requests, err := ssh.NewClientConn(ours, "host", &ssh.ClientConfig{HostKeyCallback: ssh.InsecureIgnoreHostKey()}) //nolint:gosec // of this test
	if err != nil {
		t.Fatal(err)
	}
	client := ssh.NewClient(conn, channels, requests)
	t.Cleanup(func() { _ = client.Close() })
	return client
}
