package receiptkey

import (
	"bytes"
	"testing"

	"golang.org/x/crypto/ssh"
)

func TestGenerateMakesAPairThatOpenSSHReads(t *testing.T) {
	private, public, err := Generate("rp-agent@preprod1")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.ParsePrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	line, comment, _, rest, err := ssh.ParseAuthorizedKey(public)
	if err != nil || comment != "rp-agent@preprod1" || len(rest) != 0 {
		t.Fatalf("public half %q: comment %q, rest %q, %v", public, comment, rest, err)
	}
	if !bytes.Equal(line.Marshal(), signer.PublicKey().Marshal()) || line.Type() != ssh.KeyAlgoED25519 {
		t.Errorf("%s is not the public half of the key", public)
	}
	if again, _, _ := Generate("rp-agent@preprod1"); bytes.Equal(again, private) {
		t.Error("two keys are the same")
	}
}
