package local

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"syscall"

	"github.com/google/renameio/v2"
)

// Memory keeps small values between two runs of rpctl, each in a file of its own that the operator alone may read.
type Memory struct{ Folder string } // "" keeps nothing

const longestMemory = 1 << 20

func (m Memory) path(key string) string {
	sum := sha256.Sum256([]byte(key))
	return filepath.Join(m.Folder, hex.EncodeToString(sum[:])+".json")
}

// Recall reads what was kept under key, and says whether there is something. A file that is damaged, is no plain
// file or could be changed by another user counts as none.
func (m Memory) Recall(key string, into any) bool {
	if m.Folder == "" || Guard(m.path(key)) != nil {
		return false
	}
	file, err := os.OpenFile(m.path(key), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() > longestMemory {
		return false
	}
	return json.NewDecoder(file).Decode(into) == nil
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
	file, err := renameio.NewPendingFile(m.path(key), renameio.WithTempDir(m.Folder), renameio.WithStaticPermissions(0o600))
	if err != nil {
		return err
	}
	defer func() { _ = file.Cleanup() }()
	if _, err := file.Write(append(data, '\n')); err != nil {
		return err
	}
	return file.CloseAtomicallyReplace()
}
