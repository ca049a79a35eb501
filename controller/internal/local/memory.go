package local

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/google/renameio/v2"
)

// Memory keeps small values between two runs of rpctl, each in a file of its own that the operator alone may read.
type Memory struct{ Folder string } // "" keeps nothing

const longestMemory = 1 << 20

// Path is the file of a key.
func (m Memory) Path(key string) string {
	sum := sha256.Sum256([]byte(key))
	return filepath.Join(m.Folder, hex.EncodeToString(sum[:])+".json")
}

// Recall reads what was kept under key, and says whether there is something. A file that Read refuses counts as none.
func (m Memory) Recall(key string, into any) bool {
	found, err := m.Read(key, into)
	return found && err == nil
}

// Read reads what was kept under key, and reports whether there is a file. It returns an error for a file that is
// damaged, is no plain file or could be changed by another user.
func (m Memory) Read(key string, into any) (found bool, err error) {
	if m.Folder == "" {
		return false, nil
	}
	path := m.Path(key)
	if err := Guard(path); err != nil {
		return false, err
	}
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	switch {
	case err != nil:
		return false, err
	case !info.Mode().IsRegular():
		return false, fmt.Errorf("%s is no plain file", path)
	case info.Size() > longestMemory:
		return false, fmt.Errorf("%s is longer than %d bytes", path, longestMemory)
	}
	if err := json.NewDecoder(file).Decode(into); err != nil {
		return false, fmt.Errorf("%s is not JSON of its form", path)
	}
	return true, nil
}

// Keep writes a value whole or not at all.
func (m Memory) Keep(key string, value any) error {
	if m.Folder == "" {
		return errors.New("there is no folder for rpctl's state: $HOME is not set")
	}
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(m.Folder, 0o700); err != nil {
		return err
	}
	// not WriteFile, which keeps the mode of a file that was open to others
	file, err := renameio.NewPendingFile(m.Path(key), renameio.WithTempDir(m.Folder), renameio.WithStaticPermissions(0o600))
	if err != nil {
		return err
	}
	defer func() { _ = file.Cleanup() }()
	if _, err := file.Write(append(data, '\n')); err != nil {
		return err
	}
	return file.CloseAtomicallyReplace()
}
