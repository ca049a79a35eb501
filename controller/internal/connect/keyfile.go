package connect

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"

	"golang.org/x/crypto/ssh"

	"github.com/re-connect/rpctl/controller/internal/exit"
)

// maxKeyFile is far above any private key.
const maxKeyFile = 64 << 10

// identity is an IdentityFile as it was found.
type identity struct {
	path      string
	public    ssh.PublicKey // nil when it cannot be known without the passphrase
	signer    ssh.AlgorithmSigner
	encrypted []byte // the private key as it stands in the file, where a passphrase is needed
	problem   string // why it cannot be used
	certified bool   // a certificate lies beside it, which only ssh offers
}

// identities reads the key files; one that does not exist is passed over, as by ssh.
func (l *login) identities() []identity {
	var found []identity
	for _, path := range l.r.IdentityFiles {
		if one, ok := readIdentity(path); ok {
			found = append(found, one)
		}
	}
	return found
}

func readIdentity(path string) (one identity, exists bool) {
	one.path = path
	public, publicErr := readPublic(path + ".pub")
	one.public = public // the agent may hold the key, whatever its file is
	_, certErr := os.Lstat(path + "-cert.pub")
	one.certified = certErr == nil
	content, mode, err := readSmall(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return one, publicErr == nil
	case err != nil:
		one.problem = err.Error()
		return one, true
	}
	if key, _, _, _, err := ssh.ParseAuthorizedKey(content); err == nil {
		one.public = key
		return one, true
	}
	if mode.Perm()&0o077 != 0 {
		one.problem = fmt.Sprintf("mode %04o lets others read it: chmod 600 %s", mode.Perm(), exit.Word(path))
		return one, true
	}
	one.parse(content, public)
	return one, true
}

// parse reads a private key; public is what the .pub file says, which may be nil.
func (i *identity) parse(content []byte, public ssh.PublicKey) {
	signer, err := ssh.ParsePrivateKey(content)
	var locked *ssh.PassphraseMissingError
	switch {
	case errors.As(err, &locked):
		i.encrypted, i.public = content, locked.PublicKey
		if i.public == nil {
			i.public = public
		}
	case err != nil:
		i.problem = err.Error()
	default:
		i.public = signer.PublicKey()
		i.signer, _ = signer.(ssh.AlgorithmSigner)
		if i.signer == nil {
			i.problem = "a key of this type cannot be used"
		}
	}
}

func readPublic(path string) (ssh.PublicKey, error) {
	content, _, err := readSmall(path)
	if err != nil {
		return nil, err
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey(content)
	return key, err
}

func readSmall(path string) ([]byte, fs.FileMode, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, errors.New("it is no file")
	}
	content, err := io.ReadAll(io.LimitReader(file, maxKeyFile+1))
	if err == nil && len(content) > maxKeyFile {
		err = errors.New("it is too long for a key")
	}
	return content, info.Mode(), err
}

func sameKey(a, b ssh.PublicKey) bool {
	return a != nil && b != nil && bytes.Equal(a.Marshal(), b.Marshal())
}

// keyring keeps what passphrases opened, so that each is asked for once however
// many hosts want the key.
type keyring struct {
	ask      func(ctx context.Context, keyFile string) ([]byte, error)
	mu       sync.Mutex // held while a person is asked: one question at a time
	unlocked map[string]unlocked
}

type unlocked struct {
	signer ssh.AlgorithmSigner
	err    error // the person gave up: not asked again
}

// open decrypts a key file, with three tries as ssh gives (NumberOfPasswordPrompts in ssh_config(5)).
func (k *keyring) open(ctx context.Context, file identity) (ssh.AlgorithmSigner, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if known, ok := k.unlocked[file.path]; ok {
		return known.signer, known.err
	}
	signer, err := k.prompt(ctx, file)
	if ctx.Err() == nil {
		k.unlocked[file.path] = unlocked{signer, err}
	}
	return signer, err
}

// question asks for one answer, while no other question is asked.
func (k *keyring) question(ctx context.Context, prompt func(context.Context, string) ([]byte, error), text string) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return prompt(ctx, text)
}

// errNoPassphrase says that a key stays locked.
var errNoPassphrase = errors.New("no passphrase for")

func (k *keyring) prompt(ctx context.Context, file identity) (ssh.AlgorithmSigner, error) {
	const tries = 3
	for range tries {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		passphrase, err := k.ask(ctx, file.path)
		if err != nil {
			return nil, fmt.Errorf("%w %s: %w", errNoPassphrase, file.path, err)
		}
		signer, err := ssh.ParsePrivateKeyWithPassphrase(file.encrypted, passphrase)
		clear(passphrase)
		if errors.Is(err, x509.IncorrectPasswordError) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if opened, ok := signer.(ssh.AlgorithmSigner); ok {
			return opened, nil
		}
		return nil, errors.New("a key of this type cannot be used")
	}
	return nil, fmt.Errorf("%w %s: it was wrong %d times", errNoPassphrase, file.path, tries)
}
