// Package signature signs receipts and approvals as OpenSSH does (PROTOCOL.sshsig),
// so that `ssh-keygen -Y verify` checks any of them and the users' own keys serve.
package signature

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hiddeco/sshsig"
	"github.com/re-connect/rpctl/proto"
	"golang.org/x/crypto/ssh"
)

// ErrNotSigned says that a signature is not one of this text by this key for this purpose.
var ErrNotSigned = errors.New("the signature does not fit")

// Sign signs body for one purpose. The signer may be a key file's or an agent's.
func Sign(signer ssh.Signer, namespace, body string) (proto.Signed, error) {
	made, err := sshsig.Sign(strings.NewReader(body), signer, sshsig.HashSHA512, namespace)
	if err != nil {
		return proto.Signed{}, fmt.Errorf("cannot sign: %w", err)
	}
	return proto.Signed{Namespace: namespace, Body: body, Signature: string(sshsig.Armor(made))}, nil
}

// Verify says who signed: the principal of the first of the signers whose key
// it is. The namespace is what the caller expects, never what the text claims.
// Every failure is ErrNotSigned with its reason.
func (s Signers) Verify(signed proto.Signed, namespace string, at time.Time) (principal string, err error) {
	made, err := sshsig.Unarmor([]byte(signed.Signature))
	if err != nil {
		return "", fmt.Errorf("%w: it cannot be read", ErrNotSigned)
	}
	if signed.Namespace != namespace || made.Namespace != namespace {
		return "", fmt.Errorf("%w: it was made for %q, not for %q", ErrNotSigned, made.Namespace, namespace)
	}
	if made.Signature == nil || made.Signature.Format == ssh.KeyAlgoRSA {
		return "", fmt.Errorf("%w: RSA with SHA-1 is not accepted", ErrNotSigned)
	}
	signer, ok := s.find(made.PublicKey, namespace, at)
	if !ok {
		return "", fmt.Errorf("%w: the key %s is not accepted here for %q", ErrNotSigned, ssh.FingerprintSHA256(made.PublicKey), namespace)
	}
	if slices.Contains(signer.Hardware, namespace) && !inHardware(signer.Key) {
		return "", fmt.Errorf("%w: the key of %s is a %s, and require_sk wants a hardware key with touch (sk-ssh-ed25519 or sk-ecdsa)",
			ErrNotSigned, signer.Principal, made.PublicKey.Type())
	}
	if err := sshsig.Verify(strings.NewReader(signed.Body), made, signer.Key, made.HashAlgorithm, namespace); err != nil {
		return "", fmt.Errorf("%w: the text was changed, or signed by another key", ErrNotSigned)
	}
	return signer.Principal, nil
}

// find is the line that accepts a key for a purpose at a time.
func (s Signers) find(key ssh.PublicKey, namespace string, at time.Time) (Signer, bool) {
	for _, signer := range s {
		if bytes.Equal(signer.Key.Marshal(), key.Marshal()) && signer.accepts(namespace, at) {
			return signer, true
		}
	}
	return Signer{}, false
}

// PublicKey is the key that made a signature as a line of an allowed_signers
// file has it, type and base64; empty when it cannot be read. It says who claims
// to have signed, and nothing of whether the signature fits.
func PublicKey(signed proto.Signed) string {
	made, err := sshsig.Unarmor([]byte(signed.Signature))
	if err != nil {
		return ""
	}
	return Line(made.PublicKey)
}

// Line is a key as PublicKey writes it.
func Line(key ssh.PublicKey) string { return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))) }

// Fingerprint is how people compare the key that made a signature; empty when it cannot be read.
func Fingerprint(signed proto.Signed) string {
	made, err := sshsig.Unarmor([]byte(signed.Signature))
	if err != nil {
		return ""
	}
	return ssh.FingerprintSHA256(made.PublicKey)
}
