package connect

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/re-connect/rpctl/controller/internal/exit"
)

// TestMain lets ssh ask this very test program its questions, as it asks rpctl.
func TestMain(m *testing.M) {
	if code, asked := Askpass(os.Args[1:], os.Getenv, os.Stdout); asked {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// TestSameOutcomeAsSSH tries one configuration after another with the installed ssh and with this package: both log in,
// or neither does. The cases are the keywords that let in more, or less, than a key does.
func TestSameOutcomeAsSSH(t *testing.T) {
	b := newBench(t)
	host := b.startSSHD("pp1")
	rsaHost := b.startSSHD("rsa", "rsa")
	ca, certified := b.certificate()
	trusting := b.startSSHD("trusting", "", "TrustedUserCAKeys "+b.write("ca.pub", ca), "AuthorizedKeysFile none")
	revoked := b.write("revoked", strings.SplitN(host.line, " ", 2)[1])
	b.keygen("-k", "-f", b.path("krl"), b.path("pp1_host.pub"))
	for name, c := range map[string]struct {
		host  *realHost
		lines []string
		in    bool // what ssh does, so that a case that tests nothing is noticed
	}{
		"plain":                          {host, nil, true},
		"revoked key":                    {host, []string{"RevokedHostKeys " + revoked}, false},
		"revoked by a KRL":               {host, []string{"RevokedHostKeys " + b.path("krl")}, false},
		"revocation list that is absent": {host, []string{"RevokedHostKeys " + b.path("absent")}, false},
		"another host revoked":           {rsaHost, []string{"RevokedHostKeys " + revoked}, true},
		"host key algorithm":             {host, []string{"HostKeyAlgorithms rsa-sha2-512"}, false},
		"host key algorithm that fits":   {host, []string{"HostKeyAlgorithms ssh-ed25519"}, true},
		"no public keys":                 {host, []string{"PubkeyAuthentication no"}, false},
		"public key algorithm":           {host, []string{"PubkeyAcceptedAlgorithms rsa-sha2-512"}, false},
		"preferred authentications":      {host, []string{"PreferredAuthentications password"}, false},
		"short RSA host key":             {rsaHost, []string{"RequiredRSASize 8192"}, false},
		"RSA host key":                   {rsaHost, nil, true},
		"cipher":                         {host, []string{"Ciphers aes256-ctr"}, true},
		"address family":                 {host, []string{"AddressFamily inet6"}, false},
		"bind address":                   {host, []string{"BindAddress 127.0.0.3"}, true},
		"bind address of another":        {host, []string{"BindAddress 192.0.2.7"}, false},
		"proxy command":                  {host, []string{"ProxyCommand bash -c 'exec 3<>/dev/tcp/%h/%p; cat <&3 & cat >&3; kill $!'"}, true},
		"proxy command that fails":       {host, []string{"ProxyCommand false"}, false},
		"known hosts command":            {host, []string{"UserKnownHostsFile none", "KnownHostsCommand " + b.program("known", "echo '"+strings.TrimSpace(host.line)+"'")}, true},
		"known hosts command of another": {host, []string{"UserKnownHostsFile none", "KnownHostsCommand " + b.program("unknown", "true")}, false},
		"certificate":                    {trusting, []string{"CertificateFile " + certified + "-cert.pub", "IdentityFile " + certified}, true},
		"certificate beside the key":     {trusting, []string{"IdentityFile " + certified}, true},
		"no certificate":                 {trusting, nil, false},
		"key in PKCS#8":                  {host, []string{"IdentityFile " + b.path("pkcs8")}, true},
		"unknown keyword":                {host, []string{"RefuseEverything yes"}, false},
		"ignored keyword":                {host, []string{"IgnoreUnknown RefuseEverything", "RefuseEverything yes"}, true},
		"match block":                    {host, []string{"Match exec true", "RevokedHostKeys " + revoked}, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := &bench{t: t, folder: b.folder, key: b.key, secret: b.secret}
			b.real("web", c.host, c.lines...)
			b.folder = t.TempDir()
			config := b.write("config", b.config.String())
			output, err := exec.Command("ssh", "-F", config, "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "web", "true").CombinedOutput()
			if (err == nil) != c.in {
				t.Fatalf("ssh logged in: %v, want %v: %s", err == nil, c.in, output)
			}
			conn, err := New(Options{SSHConfig: config}).Dial(t.Context(), "web")
			if (err == nil) != c.in {
				t.Fatalf("rpctl: %v; ssh logged in: %v", err, c.in)
			}
			if err == nil {
				defer conn.Close()
				if out, status := run(t, conn, "echo here; exit 3", ""); out != "here\n" || status != 3 {
					t.Errorf("%q, status %d", out, status)
				}
				return
			}
			var failed *exit.Error
			if !errors.As(err, &failed) || failed.Code != exit.Unreachable || failed.Host != "web" || failed.Next == "" {
				t.Errorf("%+v", err)
			}
		})
	}
}

// certificate makes a certificate authority and a key that it has signed, and one more form of the bench's key.
func (b *bench) certificate() (ca, key string) {
	b.t.Helper()
	b.keygen("-q", "-t", "ed25519", "-N", "", "-f", b.path("ca"))
	b.keygen("-q", "-t", "ed25519", "-N", "", "-f", b.path("certified"))
	b.keygen("-q", "-s", b.path("ca"), "-I", "alice", "-n", me(b.t), b.path("certified.pub"))
	public, err := os.ReadFile(b.path("ca.pub"))
	if err != nil {
		b.t.Fatal(err)
	}
	b.writePKCS8("pkcs8")
	return string(public), b.path("certified")
}

func (b *bench) keygen(args ...string) {
	b.t.Helper()
	if output, err := exec.Command("ssh-keygen", args...).CombinedOutput(); err != nil {
		b.t.Fatalf("ssh-keygen %q: %v: %s", args, err, output)
	}
}

// program is an executable shell script.
func (b *bench) program(name, script string) string {
	b.t.Helper()
	path := b.write(name, "#!/bin/sh\n"+script+"\n")
	if err := os.Chmod(path, 0o700); err != nil {
		b.t.Fatal(err)
	}
	return path
}

// TestSSHAsksThroughPrompt: what the ssh program wants to know is asked by rpctl, once for each key.
func TestSSHAsksThroughPrompt(t *testing.T) {
	for name, c := range map[string]struct {
		prompt  func(context.Context, string) ([]byte, error)
		message string
	}{
		"answered":         {prompt: func(context.Context, string) ([]byte, error) { return []byte("pass"), nil }},
		"wrong":            {func(context.Context, string) ([]byte, error) { return []byte("no"), nil }, "ssh cannot log in: "},
		"given up":         {func(context.Context, string) ([]byte, error) { return nil, errors.New("given up") }, "ssh cannot log in: "},
		"no terminal here": {nil, "ssh cannot log in: "},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.write("id", lockedKey)
			signer, err := ssh.ParsePrivateKeyWithPassphrase([]byte(lockedKey), []byte("pass"))
			if err != nil {
				t.Fatal(err)
			}
			b.key = signer
			b.real("web", b.startSSHD("pp1"), "Compression \"no\"")
			options := Options{SSHConfig: b.write("config", b.config.String())}
			var asked []string
			if c.prompt != nil {
				options.Prompt = func(ctx context.Context, question string) ([]byte, error) {
					asked = append(asked, question)
					return c.prompt(ctx, question)
				}
			}
			conn, err := New(options).Dial(t.Context(), "web")
			if c.message != "" {
				checkFailure(t, err, exit.Unreachable, c.message, "ssh")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			checkRuns(t, conn, "ssh")
			if len(asked) != 1 || !strings.Contains(asked[0], "passphrase") || !strings.Contains(asked[0], b.path("id")) {
				t.Errorf("asked %q", asked)
			}
		})
	}
}

// TestSSHJump: a configuration that is not plain, with a jump host, is ssh's from end to end.
func TestSSHJump(t *testing.T) {
	b := newBench(t)
	b.real("bastion", b.startSSHD("bastion"))
	b.real("pp1", b.startSSHD("pp1"), "ProxyJump bastion", "HostKeyAlgorithms ssh-ed25519")
	conn, err := b.dialReal("pp1")
	if err != nil {
		t.Fatal(err)
	}
	checkRuns(t, conn, "ssh")
}

// TestMasterOfAnotherUser: a control socket that another user serves is refused, whatever answers there.
func TestMasterOfAnotherUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give a socket to another user")
	}
	b := newBench(t)
	listener, err := net.Listen("unix", b.path("m"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if err := os.Lchown(b.path("m"), 12345, 12345); err != nil {
		t.Fatal(err)
	}
	b.real("web", b.startSSHD("pp1"), "ControlPath "+b.path("m"))
	_, err = b.dialReal("web")
	checkFailure(t, err, exit.Unreachable, fmt.Sprintf("the control socket %s belongs to uid 12345", b.path("m")), "ssh -G")
}
