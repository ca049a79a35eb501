package secrets

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/re-connect/rpctl/controller/internal/cli"
	"github.com/re-connect/rpctl/lab/sshhost"
)

const (
	alias     = "rp-preprod"
	hostsTOML = `version = 1
[environments.preprod]
hosts = ["rp-preprod"]
branch = "dev"
deploy = ["true"]
rollback = ["true"]
workers = ["worker@*.service"]
application = { path = "/home/app/www", user = "app" }
`
)

// beRpctl is the variable that makes this very test rpctl.
const beRpctl = "RPCTL_SECRETS_TEST"

func TestMain(m *testing.M) {
	if os.Getenv(beRpctl) != "" {
		os.Exit(cli.Run(cli.ThisProcess()))
	}
	os.Exit(m.Run())
}

// desk is a developer's folder with a host that their key opens.
type desk struct {
	dir  string
	host *sshhost.Server
	args []string // that lead to them
}

// newDesk makes a key with a passphrase, or without, and starts a host.
func newDesk(t *testing.T, passphrase string, handler sshhost.Handler) *desk {
	t.Helper()
	dir := t.TempDir()
	private, public := newKey(t, passphrase)
	host, err := sshhost.Start(sshhost.Options{Authorized: []ssh.PublicKey{public}, Handler: handler})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(host.Close)
	for name, content := range map[string]string{
		"key": private, "key.pub": string(ssh.MarshalAuthorizedKey(public)), "known_hosts": host.KnownHostsLine() + "\n", "hosts.toml": hostsTOML,
		"ssh_config": fmt.Sprintf("Host %s\n    HostName 127.0.0.1\n    Port %d\n    User app\n    IdentityFile %s\n    IdentitiesOnly yes\n    IdentityAgent none\n"+
			"    UserKnownHostsFile %s\n    GlobalKnownHostsFile /dev/null\n    ControlPath none\n", alias, host.Addr().Port, filepath.Join(dir, "key"), filepath.Join(dir, "known_hosts")),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return &desk{dir: dir, host: host, args: []string{"--hosts", "hosts.toml", "--ssh-config", "ssh_config"}}
}

// newKey is a private key, not made by ssh-keygen: that has the passphrase in its command line.
func newKey(t *testing.T, passphrase string) (private string, public ssh.PublicKey) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "developer")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(key, "developer", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block)), signer.PublicKey()
}

// rpctl starts rpctl rpctl on a terminal.
func (d *desk) rpctl(t *testing.T, args ...string) *terminal {
	t.Helper()
	return onTerminal(t, d.dir, []string{beRpctl + "=1", "HOME=" + d.dir, "GOTRACEBACK=all"}, os.Args[0], append(args, d.args...)...)
}
