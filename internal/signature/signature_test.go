package signature

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/re-connect/rpctl/proto"
	"golang.org/x/crypto/ssh"
)

var now = time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC)

// key is a new signer with its key file and its line of allowed_signers.
func key(t *testing.T, principal string) (signer ssh.Signer, file, line string) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if signer, err = ssh.NewSignerFromKey(private); err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "test")
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	return signer, file, principal + " " + strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))
}

func signers(t *testing.T, lines ...string) Signers {
	t.Helper()
	all, err := ParseSigners([]byte(strings.Join(lines, "\n") + "\n# a comment\n\n"))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestVerifyRefuses(t *testing.T) {
	signer, _, line := key(t, "claire")
	_, _, other := key(t, "bob")
	good, err := Sign(signer, proto.NamespaceApproval, "{}\n")
	if err != nil {
		t.Fatal(err)
	}
	change := func(f func(*proto.Signed)) proto.Signed { s := good; f(&s); return s }
	limited := strings.Replace(line, "claire ", `claire namespaces="`+proto.NamespaceApplied+`" `, 1)
	expired := strings.Replace(line, "claire ", `claire valid-before="20261122Z" `, 1)
	early := strings.Replace(line, "claire ", `claire valid-after="202611221801Z" `, 1)
	for name, c := range map[string]struct {
		signed    proto.Signed
		namespace string
		signers   Signers
		ok        bool
	}{
		"good":                      {good, proto.NamespaceApproval, signers(t, other, line), true},
		"text changed":              {change(func(s *proto.Signed) { s.Body = "{} \n" }), proto.NamespaceApproval, signers(t, line), false},
		"foreign namespace":         {good, proto.NamespaceApplied, signers(t, line), false},
		"namespace claimed":         {change(func(s *proto.Signed) { s.Namespace = proto.NamespaceApplied }), proto.NamespaceApplied, signers(t, line), false},
		"key not accepted":          {good, proto.NamespaceApproval, signers(t, other), false},
		"nobody accepted":           {good, proto.NamespaceApproval, nil, false},
		"not for this namespace":    {good, proto.NamespaceApproval, signers(t, limited), false},
		"key no longer accepted":    {good, proto.NamespaceApproval, signers(t, expired), false},
		"key not accepted yet":      {good, proto.NamespaceApproval, signers(t, early), false},
		"no signature":              {change(func(s *proto.Signed) { s.Signature = "" }), proto.NamespaceApproval, signers(t, line), false},
		"signature is no signature": {change(func(s *proto.Signed) { s.Signature = strings.Replace(s.Signature, "U1NIU0lH", "AAAAAAAA", 1) }), proto.NamespaceApproval, signers(t, line), false},
	} {
		t.Run(name, func(t *testing.T) {
			who, err := c.signers.Verify(c.signed, c.namespace, now)
			if c.ok && (err != nil || who != "claire") || !c.ok && !errors.Is(err, ErrNotSigned) {
				t.Errorf("%q, %v", who, err)
			}
		})
	}
}

// TestOpenSSHAgrees signs here and verifies with ssh-keygen, and the other way round.
func TestOpenSSHAgrees(t *testing.T) {
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		t.Skip("ssh-keygen is not installed")
	}
	signer, file, line := key(t, "rp-preprod")
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	made, err := Sign(signer, proto.NamespaceSimulation, "{\"kind\":\"simulation\"}\n")
	if err != nil {
		t.Fatal(err)
	}
	verify := exec.Command("ssh-keygen", "-Y", "verify", "-f", write("trusted_hosts", line+"\n"), "-I", "rp-preprod",
		"-n", proto.NamespaceSimulation, "-s", write("receipt.sig", made.Signature))
	verify.Stdin = strings.NewReader(made.Body)
	if out, err := verify.CombinedOutput(); err != nil {
		t.Errorf("ssh-keygen does not accept ours: %s", out)
	}
	body := write("request.json", "{}\n")
	if out, err := exec.Command("ssh-keygen", "-q", "-Y", "sign", "-f", file, "-n", proto.NamespaceApproval, body).CombinedOutput(); err != nil {
		t.Fatalf("%s", out)
	}
	theirs, err := os.ReadFile(body + ".sig")
	if err != nil {
		t.Fatal(err)
	}
	who, err := signers(t, line).Verify(proto.Signed{Namespace: proto.NamespaceApproval, Body: "{}\n", Signature: string(theirs)}, proto.NamespaceApproval, now)
	if err != nil || who != "rp-preprod" {
		t.Errorf("%q, %v", who, err)
	}
}

func TestParseSignersRefuses(t *testing.T) {
	_, _, line := key(t, "claire")
	for name, text := range map[string]string{
		"certificate authority": strings.Replace(line, "claire ", "claire cert-authority ", 1),
		"everybody":             strings.Replace(line, "claire", "*", 1),
		"a list":                strings.Replace(line, "claire", "a,b", 1),
		"unknown option":        strings.Replace(line, "claire ", "claire verify-required ", 1),
		"bad time":              strings.Replace(line, "claire ", `claire valid-after="soon" `, 1),
		"namespace pattern":     strings.Replace(line, "claire ", `claire namespaces="*" `, 1),
		"no key":                "claire",
		"broken key":            "claire ssh-ed25519 AAAA",
		"an option twice":       strings.Replace(line, "claire ", `claire namespaces="a",namespaces="b" `, 1),
		"a hidden second line":  line + "\r" + strings.Replace(line, "claire", "eve", 1),
		"a line separator":      line + " \u2028" + strings.Replace(line, "claire", "eve", 1),
		"a NUL":                 line + "\x00",
		"an escape in a remark": "# \x1b[8m\n" + line,
		"text turned around":    line + " \u202e",
		"no text":               line + " \xff",
		"a byte order mark":     "\ufeff" + line,
		"too long":              strings.Repeat("#", maxSigners+1),
	} {
		if got, err := ParseSigners([]byte(text)); err == nil {
			t.Errorf("%s: accepted as %+v", name, got)
		}
	}
}

// FuzzVerify holds that nothing but the signed text passes.
func FuzzVerify(f *testing.F) {
	_, private, _ := ed25519.GenerateKey(rand.Reader)
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		f.Fatal(err)
	}
	good, err := Sign(signer, proto.NamespaceApproval, "{}\n")
	if err != nil {
		f.Fatal(err)
	}
	all := Signers{{Principal: "claire", Key: signer.PublicKey()}}
	f.Add(good.Body, good.Signature)
	f.Fuzz(func(t *testing.T, body, armored string) {
		_, err := all.Verify(proto.Signed{Namespace: proto.NamespaceApproval, Body: body, Signature: armored}, proto.NamespaceApproval, now)
		if err == nil && body != good.Body {
			t.Errorf("%q passed", body)
		}
	})
}
