package inventory

import (
	"crypto/ed25519"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/internal/signature"
)

func hostKey(t *testing.T, host, environment string) signature.HostKey {
	t.Helper()
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	pinned, err := signature.NewHostKey(host, string(ssh.MarshalAuthorizedKey(key))[:80], environment)
	if err != nil {
		t.Fatal(err)
	}
	return pinned
}

func TestPin(t *testing.T) {
	file := TrustedHosts{Folder: t.TempDir(), Name: DefaultTrustedHosts}
	_, err := file.Key("preprod")
	if failure := exit.From(err); failure == nil || failure.Code != exit.Refused || failure.Next != "rpctl agent pin --env preprod" {
		t.Errorf("without a file: %+v", failure)
	}
	preprod, prod, again := hostKey(t, "preprod1", "preprod"), hostKey(t, "prod1", "prod"), hostKey(t, "preprod2", "preprod")
	read := func() string {
		data, err := os.ReadFile(file.Path())
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	for _, key := range []signature.HostKey{preprod, prod} {
		if err := file.Pin(key); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(file.Path(), []byte(strings.TrimSuffix(strings.Replace(read(), prod.Line(), "\n# prod, revu\n"+prod.Line(), 1), "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
	before := read()
	if err := file.Pin(again); err != nil {
		t.Fatal(err)
	}
	if want := strings.Replace(before, preprod.Line(), again.Line(), 1); read() != want {
		t.Errorf("got\n%s\nwant\n%s", read(), want)
	}
	for environment, want := range map[string]signature.HostKey{"preprod": again, "prod": prod} {
		if got, err := file.Key(environment); err != nil || got.Line() != want.Line() {
			t.Errorf("%s: %+v, %v", environment, got, err)
		}
	}
	entries, err := os.ReadDir(file.Folder)
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// TestPinRefuses: a key that would be another environment's, and a file that is not understood, change nothing.
func TestPinRefuses(t *testing.T) {
	prod := hostKey(t, "prod1", "prod")
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	if err := os.WriteFile(elsewhere, []byte(prod.Line()), 0o600); err != nil {
		t.Fatal(err)
	}
	same := prod
	same.Host, same.Comment = "preprod1", "preprod"
	for name, c := range map[string]struct {
		content, says string
		link          bool
		key           signature.HostKey
	}{
		"another's name":          {content: prod.Line(), key: hostKey(t, "prod1", "preprod"), says: "trusted_hosts:2: host prod1 has a line already (line 1)"},
		"another's key":           {content: prod.Line(), key: same, says: "trusted_hosts:2: the key of host preprod1 is that of prod1 too"},
		"a line without its end":  {content: strings.Replace(prod.Line(), " prod\n", "\n", 1), key: same, says: "trusted_hosts:1: the last word of a line is the host's environment"},
		"a login for a word":      {content: strings.Replace(prod.Line(), " prod\n", " rp-agent@prod1\n", 1), key: same, says: "trusted_hosts:1:"},
		"two hosts of one":        {content: prod.Line() + hostKey(t, "prod2", "prod").Line(), key: same, says: "trusted_hosts:2: environment prod has a line already (line 1)"},
		"not understood":          {content: "# good\n* ssh-ed25519 AAAA\n", key: same, says: "trusted_hosts:2:"},
		"a link":                  {link: true, key: same, says: "cannot use"},
		"a folder in its place":   {content: "", key: same, says: "cannot use"},
		"an odd name in the line": {content: prod.Line() + strings.Replace(prod.Line(), "prod1", "a,b", 1), key: same, says: "trusted_hosts:2: bad host name"},
	} {
		t.Run(name, func(t *testing.T) {
			file := TrustedHosts{Folder: t.TempDir(), Name: DefaultTrustedHosts}
			var err error
			switch {
			case c.link:
				err = os.Symlink(elsewhere, file.Path())
			case c.content == "":
				err = os.Mkdir(file.Path(), 0o755)
			default:
				err = os.WriteFile(file.Path(), []byte(c.content), 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
			failure := exit.From(file.Pin(c.key))
			if failure == nil || failure.Code != exit.BadInput || !strings.Contains(failure.Message, c.says) || failure.Next == "" {
				t.Errorf("got %+v", failure)
			}
			if data, _ := os.ReadFile(file.Path()); c.content != "" && string(data) != c.content {
				t.Errorf("changed to %q", data)
			}
		})
	}
}
