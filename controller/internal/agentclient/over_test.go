package agentclient_test

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/re-connect/rpctl/controller/internal/agentclient"
	"github.com/re-connect/rpctl/controller/internal/connect"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/lab/sshhost"
	"github.com/re-connect/rpctl/proto"
)

const hello = `{"event":"hello","marker":"rp-agent/1","agent":"1.0","protocol":{"min":1,"max":1},"host":"pp1"}` + "\n"

// overSSH is a client of an in-process host, over a real SSH connection.
func overSSH(t *testing.T, options sshhost.Options, within time.Duration) *agentclient.Client {
	t.Helper()
	_, secret, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewSignerFromKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	options.Authorized = []ssh.PublicKey{key.PublicKey()}
	host, err := sshhost.Start(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(host.Close)
	conn, err := connect.New(connect.Options{Program: "none", SSHConfig: writeConfig(t, host, secret)}).Dial(t.Context(), "pp1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	client, err := agentclient.Open(t.Context(), agentclient.Over(conn), agentclient.Options{
		Host: "pp1", Environment: "preprod", GreetingWithin: within,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

func writeConfig(t *testing.T, host *sshhost.Server, secret ed25519.PrivateKey) string {
	t.Helper()
	folder := t.TempDir()
	block, err := ssh.MarshalPrivateKey(secret, "")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{
		"id": string(pem.EncodeToMemory(block)), "known": host.KnownHostsLine() + "\n",
		"config": fmt.Sprintf("Host pp1\n HostName 127.0.0.1\n Port %d\n User deploy\n IdentityAgent none\n IdentityFile %s\n UserKnownHostsFile %s\n",
			host.Addr().Port, filepath.Join(folder, "id"), filepath.Join(folder, "known")),
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(folder, "config")
}

// serve greets and answers requests in turn until the input ends.
func serve(_ context.Context, request sshhost.Request, stdin io.Reader, stdout, _ io.Writer) int {
	if request.Command != "/usr/local/bin/rp-agent rpc" {
		return 127
	}
	_, _ = io.WriteString(stdout, hello)
	lines := bufio.NewScanner(stdin)
	for id := 0; lines.Scan(); {
		if lines.Text() == `{"ping":true}` {
			continue
		}
		id++
		fmt.Fprintf(stdout, `{"event":"done","id":%d,"result":{"name":"42"}}`+"\n", id)
	}
	return 0
}

func TestOverSSH(t *testing.T) {
	client := overSSH(t, sshhost.Options{Handler: serve, Faults: sshhost.Faults{Noise: "Welcome!\n"}}, time.Minute)
	for range 3 {
		var release proto.Release
		if err := client.Call(t.Context(), proto.OpRelease, nil, &release, nil); err != nil || release.Name != "42" {
			t.Fatalf("got %+v, %v", release, err)
		}
	}
}

func TestOverSSHWithoutAgent(t *testing.T) {
	client := overSSH(t, sshhost.Options{Handler: func(_ context.Context, _ sshhost.Request, _ io.Reader, _, stderr io.Writer) int {
		_, _ = io.WriteString(stderr, "bash: line 1: rp-agent: command not found\n")
		return 127
	}}, time.Minute)
	err := client.Call(t.Context(), proto.OpStatus, nil, nil, nil)
	if failed := exit.From(err); failed.Code != exit.NoAgent || failed.Next != "rpctl agent install --env preprod" {
		t.Errorf("got %+v", failed)
	}
}

func TestOverSSHCutInMidAnswer(t *testing.T) {
	client := overSSH(t, sshhost.Options{Handler: serve, Faults: sshhost.Faults{CutAfter: int64(len(hello)) + 20}}, time.Minute)
	err := client.Call(t.Context(), proto.OpRestart, nil, nil, nil)
	var lost *agentclient.LostError
	if !errors.As(err, &lost) {
		t.Errorf("got %v, want a LostError", err)
	}
}

// TestOverSSHRefusedCommand: exec is sent without asking for consent, so a host that
// refuses it must still be noticed.
func TestOverSSHRefusedCommand(t *testing.T) {
	client := overSSH(t, sshhost.Options{}, 100*time.Millisecond)
	_, err := client.Hello(t.Context())
	if failed := exit.From(err); failed == nil || failed.Code != exit.HostFailed {
		t.Errorf("got %v", err)
	}
}
