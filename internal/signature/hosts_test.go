package signature

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// publicLine is a public key in OpenSSH's form, without a comment.
func publicLine(t testing.TB, public any) string {
	t.Helper()
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}

func newPublic(t testing.TB) string {
	t.Helper()
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return publicLine(t, public)
}

// hostLine is a line as `rpctl agent pin` writes it, of a new key.
func hostLine(t testing.TB, host, environment string) string {
	t.Helper()
	key, err := NewHostKey(host, newPublic(t), environment)
	if err != nil {
		t.Fatal(err)
	}
	return key.Line()
}

func TestParseHostsReadsWhatIsWritten(t *testing.T) {
	preprod, prod := hostLine(t, "preprod1", "preprod"), hostLine(t, "prod.example.org", "prod")
	before := strings.NewReplacer("simulation@rpctl,", "", " prod\n", " rp-agent@prod\n").Replace(prod) // an earlier rpctl's
	for name, text := range map[string]string{
		"two hosts":                preprod + prod,
		"comments and blank lines": "# clés des hôtes\n\n  " + preprod + "\t# revu en novembre\n" + prod,
		"no newline at the end":    preprod + strings.TrimSpace(prod),
		"of an earlier rpctl":      preprod + before,
	} {
		keys, err := ParseHosts("trusted_hosts", []byte(text))
		if err != nil || len(keys) != 2 || keys[0].Host != "preprod1" || keys[0].Comment != "preprod" || keys[0].Line() != preprod {
			t.Errorf("%s: %+v, %v", name, keys, err)
		}
	}
}

func TestParseHostsRefuses(t *testing.T) {
	line := strings.TrimSpace(hostLine(t, "preprod1", "preprod"))
	other := strings.TrimSpace(hostLine(t, "prod1", "prod"))
	key := strings.Fields(line)[3]
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ofRSA := publicLine(t, &private.PublicKey)
	with := func(old, new string) string { return strings.Replace(line, old, new, 1) }
	for name, text := range map[string]string{
		"every host":                with("preprod1", "*"),
		"a pattern":                 with("preprod1", "pre?rod1"),
		"a list of names":           with("preprod1", "preprod1,prod1"),
		"all but one":               with("preprod1", "!prod1"),
		"a quoted name":             with("preprod1", `"preprod1"`),
		"an option for a name":      with("preprod1", "-preprod1"),
		"no name":                   with("preprod1 ", ""),
		"no namespaces":             with(`namespaces="simulation@rpctl,applied@rpctl" `, ""),
		"every namespace":           with("simulation@rpctl,applied@rpctl", "*"),
		"an empty namespace":        with("simulation@rpctl,applied@rpctl", ""),
		"the namespace of people":   with("applied@rpctl", "approval@rpctl"),
		"one namespace twice":       with("simulation@rpctl", "applied@rpctl"),
		"namespaces without quotes": with(`"simulation@rpctl,applied@rpctl"`, "applied@rpctl"),
		"a certificate authority":   with("namespaces=", "cert-authority,namespaces="),
		"a second option":           with(`" ssh`, `",valid-after="20260101" ssh`),
		"an option of its own":      with(" ssh", ` valid-before="20990101" ssh`),
		"another type in the line":  with("ssh-ed25519", "ssh-rsa"),
		"a key of another type":     `preprod1 namespaces="applied@rpctl" ` + ofRSA,
		"no key":                    with(key, ""),
		"a key that is cut off":     with(key, key[:40]),
		"something after the key":   with(key, key+" "+key),
		"a second key":              line + " " + strings.TrimPrefix(other, "prod1 "),
		"a second word":             line + " word",
		"a comment after the key":   line + " # preprod",
		"two blanks":                with(" ssh", "  ssh"),
		"a tab":                     with(" ssh", "\tssh"),
		"one host twice":            line + "\n" + strings.Replace(other, "prod1", "preprod1", 1),
		"one line twice":            line + "\n" + line,
		"one key under two names":   line + "\n" + with("preprod1", "prod1"),
		"a hidden second line":      line + "\r" + other,
		"a carriage return":         line + "\r\n" + other,
		"a form feed":               line + "\f" + other,
		"a line separator":          line + "\u2028" + other,
		"a NUL":                     line + "\x00" + other,
		"an escape in a comment":    "# \x1b[8m\n" + line,
		"a NUL in a comment":        "# \x00\n" + line,
		"text turned around":        "# \u202e\n" + line,
		"a byte that is no text":    "# \xff\n" + line,
		"a byte order mark":         "\ufeff" + line,
		"a name that looks alike":   with("preprod1", "рreprod1"),
		"a name of two scripts":     with(" preprod", " préprod"),
		"too much":                  line + strings.Repeat("\n", maxSigners),
	} {
		keys, err := ParseHosts("trusted_hosts", []byte(text))
		if err == nil {
			t.Errorf("%s: %q is taken as %+v", name, text, keys)
		} else if !strings.HasPrefix(err.Error(), "trusted_hosts:") && name != "too much" {
			t.Errorf("%s: %v names no line", name, err)
		}
	}
}

// TestNewHostKeyRefuses: what a host reports makes one line, or none.
func TestNewHostKeyRefuses(t *testing.T) {
	good, other := newPublic(t), newPublic(t)
	for name, c := range map[string]struct{ host, key, environment string }{
		"a line in the key":           {"preprod1", good + "\nevil " + other, "preprod"},
		"a line before the key":       {"preprod1", "\n" + other + "\n" + good, "preprod"},
		"a line in the name":          {"preprod1 " + good + "\nevil", good, "preprod"},
		"a line in the environment":   {"preprod1", good, "preprod\nevil " + good},
		"a carriage return":           {"preprod1\revil", good, "preprod"},
		"an option in the key":        {"preprod1", "cert-authority " + good, "preprod"},
		"nothing":                     {"preprod1", "", "preprod"},
		"no name":                     {"", good, "preprod"},
		"a pattern":                   {"*", good, "preprod"},
		"two names":                   {"preprod1,prod1", good, "preprod"},
		"a comment instead of a name": {"#preprod1", good, "preprod"},
	} {
		key, err := NewHostKey(c.host, c.key, c.environment)
		if err == nil && (strings.Count(key.Line(), "\n") != 1 || key.Host != c.host || !strings.Contains(good, strings.Fields(key.Line())[3])) {
			t.Errorf("%s: %q", name, key.Line())
		}
		if c.host != "preprod1" && err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if key, err := NewHostKey("preprod1", good+" rp-agent@preprod1", "preprod"); err != nil || !strings.HasSuffix(key.Line(), " preprod\n") {
		t.Errorf("%q, %v", key.Line(), err)
	}
}

// FuzzParseHosts holds that a file that is taken has one meaning: written again from what was read, it is the same
// keys for the same hosts, and a name and a key stand there once.
func FuzzParseHosts(f *testing.F) {
	line := hostLine(f, "preprod1", "preprod")
	f.Add(line + hostLine(f, "prod1", "prod"))
	f.Add("# a comment\n\n" + strings.Replace(line, "simulation@rpctl,", "", 1))
	f.Add(strings.Replace(line, "preprod1", "*", 1))
	f.Add(line + "\r" + line)
	f.Fuzz(func(t *testing.T, text string) {
		keys, err := ParseHosts("trusted_hosts", []byte(text))
		if err != nil {
			return
		}
		written, hosts, prints := "", map[string]bool{}, map[string]bool{}
		for _, key := range keys {
			if hosts[key.Host] || prints[key.Fingerprint()] || strings.ContainsAny(key.Host, "*?!,\" \t\r\n#") || len(key.Namespaces) == 0 {
				t.Errorf("%q is taken as %+v", text, key)
			}
			hosts[key.Host], prints[key.Fingerprint()] = true, true
			written += key.Line()
		}
		again, err := ParseHosts("trusted_hosts", []byte(written))
		if err != nil || len(again) != len(keys) || Digest([]byte(written)) != Digest([]byte(text)) {
			t.Errorf("%q is written as %q: %v", text, written, err)
		}
		// What OpenSSH would accept by the same file is read here, too.
		if signers, err := ParseSigners([]byte(text)); err != nil || len(signers) != len(keys) {
			t.Errorf("%q is no allowed_signers: %v", text, err)
		}
	})
}

func TestDigestIsOfWhatCounts(t *testing.T) {
	a, b := hostLine(t, "preprod1", "preprod"), hostLine(t, "prod1", "prod")
	same := []string{a + b, "# header\n" + a + "\n" + b, a + "  " + strings.TrimSpace(b)}
	for _, text := range same {
		if Digest([]byte(text)) != Digest([]byte(a+b)) {
			t.Errorf("%q has another digest", text)
		}
	}
	for _, text := range []string{"", a, b + a, a + strings.Replace(b, "prod1", "prod2", 1), a + b + "# \x1b\n"} {
		if Digest([]byte(text)) == Digest([]byte(a+b)) {
			t.Errorf("%q has the same digest", text)
		}
	}
}
