package connect

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// writeConfig is a file for ssh -F.
func writeConfig(t testing.TB, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestPlainIsWhatSSHReads makes configurations up and holds this package to what ssh itself makes of them.
func TestPlainIsWhatSSHReads(t *testing.T) {
	if _, err := exec.LookPath("ssh"); err != nil {
		t.Skip("no ssh program here")
	}
	const configurations = 60
	random := rand.New(rand.NewPCG(1, 2))
	plain := 0
	for range configurations {
		text := madeUp(random)
		config := writeConfig(t, text)
		ours, theirs := New(Options{SSHConfig: config}), New(Options{SSHConfig: config, Program: "ssh"})
		for _, alias := range []string{"web1", "db-2.example"} {
			got, err := ours.Resolve(t.Context(), alias)
			if err != nil {
				t.Fatalf("%s: %v\n%s", alias, err, text)
			}
			if got.Source != "ssh_config" {
				continue
			}
			plain++
			want, err := theirs.Resolve(t.Context(), alias)
			if err != nil {
				t.Fatalf("%s: ssh: %v\n%s", alias, err, text)
			}
			want.IdentityFiles = slices.DeleteFunc(want.IdentityFiles, func(file string) bool { // kinds of keys that nobody takes any more
				return strings.HasSuffix(file, "/id_xmss") || strings.HasSuffix(file, "/id_dsa")
			})
			if want.Source, want.left = got.Source, got.left; !reflect.DeepEqual(got, want) {
				t.Fatalf("%s is\n%+v\nfor ssh it is\n%+v\nby\n%s", alias, got, want, text)
			}
		}
	}
	if plain < configurations {
		t.Errorf("only %d of %d were plain: the test compares too little", plain, 2*configurations)
	}
}

// madeUp is a configuration of Host blocks, most of which match something.
func madeUp(random *rand.Rand) string {
	pick := func(words ...string) string { return words[random.IntN(len(words))] }
	setting := func() string {
		switch random.IntN(13) {
		case 0:
			return "HostName " + pick("127.0.0.1", "%h.example", "host.example", "::1")
		case 1:
			return "Port" + pick(" ", "=", " = ", "\t") + pick("22", "2222", "65535")
		case 2:
			return "User " + pick("bob", "app-user")
		case 3, 4:
			return "IdentityFile " + pick("/keys/a", "/keys/%h", "/keys/b_%r", "none")
		case 5:
			return "identitiesonly " + pick("yes", "no")
		case 6:
			return "ProxyJump " + pick("none", "j1", "u@j1:2200,j2")
		case 7:
			return "ControlPath " + pick("none", "/run/cm-%r@%h:%p", "/run/%n")
		case 8:
			return "UserKnownHostsFile " + pick("none", "/k/one /k/%h", "/k/two")
		case 9:
			return "HostKeyAlias " + pick("foo", "a.b")
		case 10:
			return "ConnectTimeout " + pick("1", "77")
		case 11:
			return "IdentityAgent " + pick("none", "SSH_AUTH_SOCK", "/run/agent")
		default:
			return pick("ServerAliveInterval 5", "SendEnv LANG LC_*", "# a word", "", "StrictHostKeyChecking accept-new")
		}
	}
	var b strings.Builder
	for range 1 + random.IntN(6) {
		if random.IntN(5) > 0 {
			fmt.Fprintf(&b, "%s %s\n", pick("Host", "host", "HOST"), pick("*", "web*", "web1 db-2.example", "* !web1", "!db-2.example *", "db-?.example", "other"))
		}
		for range random.IntN(5) {
			fmt.Fprintf(&b, "%s%s\n", pick("  ", "\t", ""), setting())
		}
	}
	return b.String() + "Host *\n  User last\n"
}

// TestNotPlain is what only ssh reads for certain.
func TestNotPlain(t *testing.T) {
	for _, line := range []string{
		"Match all", "Match exec \"true\"", "Host a\nInclude other", "Include ~/other", "CanonicalizeHostname yes", "IgnoreUnknown x", "Unknown x",
		"HostName \"a b\"", "HostName UPPER", "HostName a # comment", "HostName %k", "Port ssh", "User %u", "User ${ME}",
		"IdentityFile ~bob/key", "IdentityFile ${KEYS}/a", "IdentityFile relative", "IdentityFile \"/a b\"", "ControlPath /run/%Q",
		"ProxyCommand nc %h %p", "IdentitiesOnly true", "ConnectTimeout 1m", "ConnectTimeout none", "IdentityAgent $AGENT",
		"Host a b,c", "Host [ab]", "Host \"a\"", "Host", "Port",
		// What restricts or redirects a login, and what a later ssh may add.
		"RevokedHostKeys /k", "HostKeyAlgorithms ssh-rsa", "PubkeyAuthentication no", "PubkeyAuthentication unbound", "PubkeyAcceptedAlgorithms ssh-rsa",
		"PubkeyAcceptedKeyTypes ssh-rsa", "HostbasedAuthentication yes", "PreferredAuthentications password", "CASignatureAlgorithms ssh-ed25519",
		"CertificateFile /k", "Ciphers aes128-ctr", "KexAlgorithms curve25519-sha256", "MACs hmac-sha2-256", "RequiredRSASize 4096",
		"BindAddress 127.0.0.1", "BindInterface lo", "AddressFamily inet6", "CheckHostIP yes", "VerifyHostKeyDNS yes", "ConnectionAttempts 2",
		"KnownHostsCommand /bin/true", "PKCS11Provider /lib/x.so", "SecurityKeyProvider /lib/x.so", "ProxyUseFdpass yes", "RefuseConnection no",
		"NoHostAuthenticationForLocalhost yes", "CanonicalDomains example", "Tag x", "SomethingNew yes", "Compression \"yes\"",
	} {
		if _, _, err := (&plainReader{}).of(hop{host: "a"}, writeConfig(t, "User u\n"+line+"\n")); err == nil {
			t.Errorf("%q was taken for plain", line)
		}
	}
	for text, plain := range map[string]bool{
		"User u\nHost b\n  RevokedHostKeys /k\n  IdentityFile \"/a b\"\n": true, "User u\nHost a*\n  RevokedHostKeys /k\n": false,
		"User u\nHost b\n  Mistyped yes\n": false, "User u\nHost b\n  Match all\n": false, "User u\nHost b\n  Port \"\n": false,
	} {
		if _, _, err := (&plainReader{}).of(hop{host: "a"}, writeConfig(t, text)); (err == nil) != plain {
			t.Errorf("%q: %v", text, err)
		}
	}
	for text, asks := range map[string]bool{"Port 23\n": true, "User u\n  ControlPath /run/%C\n": true, "User u\nControlPath /run/%r\n": false} {
		if _, ask, err := (&plainReader{}).of(hop{host: "a"}, writeConfig(t, text)); err != nil || ask != asks {
			t.Errorf("%q: ssh is asked for its values: %v, %v", text, ask, err)
		}
	}
	if _, _, err := (&plainReader{}).of(hop{host: "A"}, writeConfig(t, "User u\n")); err == nil {
		t.Error("an alias in capitals was read without ssh")
	}
	if _, _, err := (&plainReader{}).of(hop{host: "a"}, writeConfig(t, "User u\n")); err != nil {
		t.Errorf("a plain configuration was not read: %v", err)
	}
}

func TestPlainIncludes(t *testing.T) {
	config := writeConfig(t, "")
	parts := filepath.Join(filepath.Dir(config), "parts")
	if err := os.Mkdir(parts, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"a.conf": "Host web\n  Port 1001\n  User inner\n", "b.conf": "Host web\n  Port 1002\n", ".c.conf": "Host web\nUser hidden\n", "d.other": "Port 7\n",
		"../config": "Include " + parts + "/*.conf\nUser outer\nHost web\n  Port 1003\n",
	} {
		if err := os.WriteFile(filepath.Join(parts, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for alias, want := range map[string]string{"web": "inner 1001", "db": "outer "} {
		found, _, err := (&plainReader{}).of(hop{host: alias}, config)
		if got := found.first("user") + " " + found.first("port"); err != nil || got != want {
			t.Errorf("%s is %q (%v), want %q", alias, got, err, want)
		}
	}
}

func FuzzPlainLine(f *testing.F) {
	for _, seed := range []string{"Host a b", "Port=22", "  HostName = x", "# word", "User \"a\"", "=", "\x00 x", "Include *"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		keyword, value, err := plainLine(line)
		if err == nil && keyword != "" && (value == "" || strings.ContainsAny(keyword, " =") || !plainValue(keyword, value)) {
			t.Errorf("%q is keyword %q, value %q", line, keyword, value)
		}
	})
}
