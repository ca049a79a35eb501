package connect

import (
	"context"
	"fmt"
	"os"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/internal/signature"
	"github.com/re-connect/rpctl/proto"
)

// SigningKey is a key of the operator's that signs texts, as `ssh-keygen -Y sign` does.
type SigningKey struct {
	Label  string // as ssh-keygen -l shows it, and where it is kept
	signer ssh.Signer
	login  *login
}

// SigningKey is the key that signs for an alias: the first that a login there would
// offer, or with a file (private, or the public half of a key of the agent) that one and no
// other. Nothing is connected to but the agent. Close gives it back.
func (d *Dialer) SigningKey(ctx context.Context, alias, file string) (*SigningKey, error) {
	r, err := d.Resolve(ctx, alias)
	if err != nil {
		return nil, err
	}
	if file != "" {
		if _, err := os.Stat(file); err != nil {
			return nil, &exit.Error{Code: exit.BadInput, Message: "cannot use the key: " + safe(err.Error()), Err: err}
		}
		r.IdentityFiles, r.IdentitiesOnly = []string{strings.TrimSuffix(file, ".pub")}, true
	}
	login := &login{dialer: d, r: r, patience: newPatience(humanPause, func() {})}
	for i, signer := range login.signers(ctx) {
		if !strings.Contains(signer.PublicKey().Type(), "-cert-") { // a certificate's own key comes by itself
			return &SigningKey{Label: login.offered[i], signer: signer, login: login}, nil
		}
	}
	login.end()
	message := "no key to sign with: the agent holds none, no IdentityFile exists, and --key names none"
	if len(login.notes) > 0 {
		message = "no key to sign with; not usable: " + strings.Join(login.notes, ", ")
	}
	next := "ssh-add"
	if login.unlock != "" {
		next = "ssh-add " + exit.Word(login.unlock)
	}
	return nil, &exit.Error{Code: exit.BadInput, Message: message, Next: next}
}

// Sign signs body for one purpose; a key with a passphrase asks for it now.
func (k *SigningKey) Sign(namespace, body string) (proto.Signed, error) {
	signed, err := signature.Sign(k.signer, namespace, body)
	if err != nil {
		return proto.Signed{}, &exit.Error{
			Code: exit.Failed, Message: fmt.Sprintf("cannot sign with %s: %s", k.Label, safe(err.Error())), Next: "ssh-add", Err: err,
		}
	}
	return signed, nil
}

// Close lets go of the agent.
func (k *SigningKey) Close() { k.login.end() }

// end is close for a login that was made to sign, without a handshake.
func (l *login) end() {
	l.patience.end()
	l.close()
}
