package receiptkey

import (
	"errors"
	"io"
	"os"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/re-connect/rpctl/internal/signature"
	"github.com/re-connect/rpctl/proto"
)

// Name is the key's file in the agent's state folder.
const Name = "receipt_key"

// maxKey is more than a key file takes, in bytes.
const maxKey = 16 << 10

// Key is a host's own key.
type Key struct{ signer ssh.Signer }

// Load reads the private key of a host. It must be readable by its owner alone.
func Load(path string) (Key, error) {
	file, err := os.Open(path)
	if err != nil {
		return Key{}, refuse(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return Key{}, refuse(err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return Key{}, refuse(errors.New("others may read it: `chmod 600 " + path + "`"))
	}
	data, err := io.ReadAll(io.LimitReader(file, maxKey))
	if err != nil {
		return Key{}, refuse(err)
	}
	return Parse(data)
}

// Parse is the key that Generate wrote.
func Parse(private []byte) (Key, error) {
	signer, err := ssh.ParsePrivateKey(private)
	if err != nil {
		return Key{}, refuse(err)
	}
	return Key{signer}, nil
}

// Public is the public half, one line in OpenSSH's form.
func (k Key) Public() string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(k.signer.PublicKey())))
}

// Sign signs a receipt.
func (k Key) Sign(namespace, body string) (proto.Signed, error) {
	return signature.Sign(k.signer, namespace, body)
}

// Signers accepts this key alone, under the host's name.
func (k Key) Signers(host string) signature.Signers {
	return signature.Signers{{Principal: host, Key: k.signer.PublicKey()}}
}

func refuse(err error) error {
	return &proto.Error{Code: proto.CodeHost, Message: proto.Textf("cannot use this host's receipt key: %v (rpctl agent install makes one where there is none)", err),
		Advice: proto.Advice{Code: proto.AdviceHostDoctor}}
}
