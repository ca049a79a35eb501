package install

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/internal/signature"
	"github.com/re-connect/rpctl/proto"
)

// maxSignature is more than any signature takes, in bytes.
const maxSignature = 64 << 10

// releaser is who signed a binary: `ssh-keygen -Y sign -n release@rpctl -f KEY FILE` writes FILE.sig. It is empty where
// the team names nobody who signs.
func (b Binaries) releaser(path string, data []byte) (string, error) {
	if b.Releasers == "" {
		return "", nil
	}
	names, err := readWithin(filepath.Split(b.Releasers))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	var signers signature.Signers
	if err == nil {
		signers, err = signature.ParseSigners(names)
	}
	if err != nil {
		return "", b.unsigned(path, fmt.Errorf("that file cannot be read: %w", err))
	}
	made, err := os.ReadFile(path + ".sig")
	if err == nil && len(made) > maxSignature {
		err = errors.New("the signature is too long")
	}
	if err != nil {
		return "", b.unsigned(path, err)
	}
	signed := proto.Signed{Namespace: proto.NamespaceRelease, Body: string(data), Signature: string(made)}
	who, err := signers.Verify(signed, proto.NamespaceRelease, time.Now())
	if err != nil {
		return "", b.unsigned(path, err)
	}
	return who, nil
}

// readWithin reads a file of a folder, which must not lead out of it.
func readWithin(folder, name string) ([]byte, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	return root.ReadFile(name)
}

func (b Binaries) unsigned(path string, err error) error {
	return &exit.Error{Code: exit.Refused, Err: err, Next: "ls -l " + exit.Word(path+".sig"),
		Message: fmt.Sprintf("cannot install %s: it has no signature by a key in %s (ssh-keygen -Y sign -n %s makes one): %v",
			path, b.Releasers, proto.NamespaceRelease, err)}
}
