// Package receiptkey makes the key that a host signs its receipts with: ed25519
// in OpenSSH's form, so that `ssh-keygen -Y sign` and `-Y verify` know it.
package receiptkey

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"

	"golang.org/x/crypto/ssh"
)

// Generate makes a new key. private is what belongs into a file of mode 0600, without
// a passphrase: nobody is there to type one. public is one line, as in an
// allowed_signers file after the name.
func Generate(comment string) (private, public []byte, err error) {
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot make the receipt key: %w", err)
	}
	block, err := ssh.MarshalPrivateKey(key, comment)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot write the receipt key in OpenSSH's form: %w", err)
	}
	line, err := ssh.NewPublicKey(pub)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot write the receipt key's public half: %w", err)
	}
	public = ssh.MarshalAuthorizedKey(line)
	public = append(public[:len(public)-1], " "+comment+"\n"...)
	return pem.EncodeToMemory(block), public, nil
}
