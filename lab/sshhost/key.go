package sshhost

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"

	"golang.org/x/crypto/ssh"
)

// NewClientKey makes a key for a developer: the private half as ssh reads it from an
// IdentityFile, without passphrase, and the public half for Options.Authorized.
func NewClientKey(comment string) (private []byte, public ssh.PublicKey, err error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot make a key: %w", err)
	}
	block, err := ssh.MarshalPrivateKey(key, comment)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot write a key: %w", err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot use a key: %w", err)
	}
	return pem.EncodeToMemory(block), signer.PublicKey(), nil
}
