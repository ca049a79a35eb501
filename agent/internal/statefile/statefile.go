// Package statefile keeps the agent's state in small JSON files that are whole at
// any time: each is written beside its place, brought to the disk, renamed, and
// the folder brought to the disk too. Every file says its version, and one of a
// newer agent is refused rather than half understood.
package statefile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/proto"
)

// maxFile is the longest file that is read, in bytes.
const maxFile = 8 << 20

// Upgrade is what to type next where a newer rp-agent wrote a file: this one will never read it.
var Upgrade = proto.Advice{Code: proto.AdviceUpgrade}

var errNewer = errors.New("it was written by a newer rp-agent")

// form is a file as it stands on the disk.
type form struct {
	Version int             `json:"version"`
	Content json.RawMessage `json:"content"`
}

// Write puts content into the file, whole or not at all. When it returns without
// error, the content survives a power loss. Errors are *proto.Error of CodeStorage.
func Write(path string, version int, content any, mode fs.FileMode) error {
	data, err := json.Marshal(content)
	if err == nil {
		data, err = json.Marshal(form{version, data})
	}
	if err == nil && len(data) >= maxFile {
		err = fmt.Errorf("it would be longer than %d bytes", maxFile)
	}
	if err == nil {
		err = Replace(path, append(data, '\n'), mode)
	}
	if err != nil {
		return storage("write", path, err)
	}
	return nil
}

// Read takes content out of a file of at most this version. A file that is not
// there is fs.ErrNotExist; every other error is a *proto.Error of CodeStorage.
func Read(path string, version int, content any) error {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fs.ErrNotExist
	}
	if err != nil {
		return storage("read", path, err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err == nil {
		err = Decode(data, version, content)
	}
	if err != nil {
		return storage("read", path, err)
	}
	return nil
}

// Decode is Read for bytes that are at hand; its errors say only what is wrong with them.
func Decode(data []byte, version int, content any) error {
	if len(data) > maxFile {
		return fmt.Errorf("it is longer than %d bytes", maxFile)
	}
	var f form
	if err := json.Unmarshal(data, &f); err != nil {
		return fmt.Errorf("it is damaged: %s", printable.Excerpt(err.Error(), 200))
	}
	switch {
	case f.Version > version:
		return fmt.Errorf("%w (version %d of the file; this one reads %d)", errNewer, f.Version, version)
	case f.Version < 1:
		return fmt.Errorf("it is damaged: it has no version")
	}
	if err := proto.DecodeStrict(f.Content, content); err != nil {
		if strings.HasPrefix(err.Error(), "json: unknown field ") { // not each new field gives its file a new version
			return fmt.Errorf("%w, or is damaged: %s", errNewer, printable.Excerpt(err.Error(), 200))
		}
		return fmt.Errorf("it is damaged: %s", printable.Excerpt(err.Error(), 200))
	}
	return nil
}

// SyncFolder brings a folder's entries to the disk.
func SyncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}

func storage(verb, path string, err error) *proto.Error {
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	next := proto.Advice{Code: proto.AdviceHostDoctor} // no file that is read in the greeting, whose errors stateform words
	if errors.Is(err, errNewer) {
		next = Upgrade
	}
	return &proto.Error{Code: proto.CodeStorage, Message: proto.Textf("cannot %s %s: %v", verb, path, err), Advice: next}
}
