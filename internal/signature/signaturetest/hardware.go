// Package signaturetest makes the signatures of a hardware key in software, for tests.
package signaturetest

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"math/big"
	"testing"

	"golang.org/x/crypto/ssh"
)

// Touched is the flag of a FIDO signature that says that a person was there.
const Touched = 0x01

const application = "ssh:"

// Hardware is a FIDO key as OpenSSH uses one (PROTOCOL.u2f). Flags go into its signatures.
type Hardware struct {
	Flags  byte
	public ssh.PublicKey
	sign   func(message []byte) []byte
}

// NewED25519 makes an sk-ssh-ed25519 key.
func NewED25519(tb testing.TB, flags byte) *Hardware {
	tb.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	wire := ssh.Marshal(struct {
		Type        string
		Key         []byte
		Application string
	}{ssh.KeyAlgoSKED25519, public, application})
	return made(tb, flags, wire, func(message []byte) []byte { return ed25519.Sign(private, message) })
}

// NewECDSA makes an sk-ecdsa-sha2-nistp256 key.
func NewECDSA(tb testing.TB, flags byte) *Hardware {
	tb.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	point, err := private.PublicKey.Bytes()
	if err != nil {
		tb.Fatal(err)
	}
	wire := ssh.Marshal(struct {
		Type, Curve string
		Point       []byte
		Application string
	}{ssh.KeyAlgoSKECDSA256, "nistp256", point, application})
	return made(tb, flags, wire, func(message []byte) []byte {
		digest := sha256.Sum256(message)
		r, s, err := ecdsa.Sign(rand.Reader, private, digest[:])
		if err != nil {
			tb.Fatal(err)
		}
		return ssh.Marshal(struct{ R, S *big.Int }{r, s})
	})
}

func made(tb testing.TB, flags byte, wire []byte, sign func([]byte) []byte) *Hardware {
	tb.Helper()
	public, err := ssh.ParsePublicKey(wire)
	if err != nil {
		tb.Fatal(err)
	}
	return &Hardware{Flags: flags, public: public, sign: sign}
}

// PublicKey implements ssh.Signer.
func (h *Hardware) PublicKey() ssh.PublicKey { return h.public }

// Sign implements ssh.Signer.
func (h *Hardware) Sign(_ io.Reader, data []byte) (*ssh.Signature, error) {
	app, message := sha256.Sum256([]byte(application)), sha256.Sum256(data)
	rest := binary.BigEndian.AppendUint32([]byte{h.Flags}, 7) // a counter
	signed := append(append(app[:], rest...), message[:]...)
	return &ssh.Signature{Format: h.public.Type(), Blob: h.sign(signed), Rest: rest}, nil
}
