package secrets

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/re-connect/rpctl/controller/internal/cli"
	"github.com/re-connect/rpctl/lab/labtest"
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

// newDesk has the halves of a key, and starts a host.
func newDesk(t *testing.T, private, public string, handler sshhost.Handler) *desk {
	t.Helper()
	dir := t.TempDir()
	authorized, _, _, _, err := ssh.ParseAuthorizedKey([]byte(public))
	if err != nil {
		t.Fatal(err)
	}
	host, err := sshhost.Start(sshhost.Options{Authorized: []ssh.PublicKey{authorized}, Handler: handler})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(host.Close)
	for name, content := range map[string]string{
		"key": private, "key.pub": public, "known_hosts": host.KnownHostsLine() + "\n", "hosts.toml": hostsTOML,
		"ssh_config": sshhost.ClientConfig(alias, host.Addr().Port, filepath.Join(dir, "key"), filepath.Join(dir, "known_hosts")),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return &desk{dir: dir, host: host, args: []string{"--hosts", "hosts.toml", "--ssh-config", "ssh_config"}}
}

// lockedKey is a private key with the passphrase. It is made before anybody looks at the processes, since ssh-keygen
// has the passphrase in its command line; -a 1, or opening it takes half a minute under the race detector.
func lockedKey(t *testing.T) (private, public string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "key")
	if out, err := exec.CommandContext(t.Context(), "ssh-keygen", "-q", "-a", "1", "-t", "ed25519", "-N", passphrase, "-f", file).CombinedOutput(); err != nil {
		t.Skipf("no key can be made here: %v: %s", err, out)
	}
	return read(t, file), read(t, file+".pub")
}

// openKey is one without.
func openKey(t *testing.T) (private, public string) {
	t.Helper()
	pem, key, err := sshhost.NewClientKey("developer")
	if err != nil {
		t.Fatal(err)
	}
	return string(pem), string(ssh.MarshalAuthorizedKey(key))
}

func read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// rpctl starts rpctl rpctl on a terminal.
func (d *desk) rpctl(t *testing.T, args ...string) *labtest.Terminal {
	t.Helper()
	return labtest.OnTerminal(t, d.dir, []string{beRpctl + "=1", "HOME=" + d.dir, "GOTRACEBACK=all"}, os.Args[0], append(args, d.args...)...)
}
