package inventory

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/local"
	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/internal/signature"
	"github.com/re-connect/rpctl/internal/stricttoml"
	"github.com/re-connect/rpctl/proto"
)

// DefaultTrustedHosts is the file of pinned receipt keys where hosts.toml names none.
const DefaultTrustedHosts = "trusted_hosts"

// TrustedHosts is the file of pinned receipt keys beside hosts.toml: one line for the console host of each environment.
// It is read again for each question, and reviewed like hosts.toml.
type TrustedHosts struct {
	Folder string // that hosts.toml stands in
	Name   string // of the file, within the folder
}

// Path is where the file is.
func (t TrustedHosts) Path() string { return filepath.Join(t.Folder, t.Name) }

// checkTrustedHosts keeps the file, which `rpctl agent pin` writes, within the folder of hosts.toml.
func checkTrustedHosts(name string) error {
	if !filepath.IsLocal(name) || filepath.Clean(name) != name || name == "." || proto.CheckApplicationPath("/"+name) != nil {
		return fmt.Errorf("bad file of trusted hosts %q: want a name beside hosts.toml like %s", name, DefaultTrustedHosts)
	}
	return nil
}

// Keys are the lines of the file; none where there is no file. A line is refused where its last word is no
// environment's name, or one that another line has: an environment has one host that signs receipts.
func (t TrustedHosts) Keys() ([]signature.HostKey, error) {
	data, err := t.read()
	if err != nil {
		return nil, t.refuse(err)
	}
	keys, err := t.parse(data)
	if err != nil {
		return nil, t.refuse(err)
	}
	return keys, nil
}

func (t TrustedHosts) parse(data []byte) ([]signature.HostKey, error) {
	keys, err := signature.ParseHosts(t.Path(), data)
	for i, key := range keys {
		if err := proto.CheckEnvironment(key.Comment); err != nil {
			return nil, fmt.Errorf("%s:%d: the last word of a line is the host's environment: %w", t.Path(), key.Number, err)
		}
		for _, before := range keys[:i] {
			if before.Comment == key.Comment {
				return nil, fmt.Errorf("%s:%d: environment %s has a line already (line %d): want one host an environment", t.Path(), key.Number, key.Comment, before.Number)
			}
		}
	}
	return keys, err
}

// read opens the file below its folder, and nothing that leads elsewhere.
func (t TrustedHosts) read() ([]byte, error) {
	folder, err := os.OpenRoot(t.Folder)
	if err != nil {
		return nil, err
	}
	defer func() { _ = folder.Close() }()
	info, err := folder.Stat(".")
	if err != nil {
		return nil, err
	}
	owner, _ := ownerOf(info) // it is trusted with hosts.toml, too
	if err := local.Guard(t.Path(), owner); err != nil {
		return nil, err
	}
	file, err := folder.OpenFile(t.Name, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", t.Path())
	}
	return io.ReadAll(io.LimitReader(file, stricttoml.MaxSize+1))
}

func (t TrustedHosts) refuse(err error) error {
	if known := (*exit.Error)(nil); errors.As(err, &known) {
		return known
	}
	return &exit.Error{
		Code: exit.BadInput, Err: err, Message: "cannot use the pinned receipt keys: " + printable.Line(err.Error()),
		Next: "git diff -- " + exit.Word(t.Path()),
	}
}

// Key is the pinned key of an environment's console host. Where there is none the error names the command that pins it.
func (t TrustedHosts) Key(environment string) (signature.HostKey, error) {
	keys, err := t.Keys()
	if err != nil {
		return signature.HostKey{}, err
	}
	for _, key := range keys {
		if key.Comment == environment {
			return key, nil
		}
	}
	return signature.HostKey{}, &exit.Error{
		Code: exit.Refused, Next: "rpctl agent pin --env " + environment,
		Message: fmt.Sprintf("no receipt key of %s is pinned: %s has no line that ends with %s; an admin reads it from the host, and the file is committed beside hosts.toml",
			environment, printable.Line(t.Path()), environment),
	}
}

// Pin writes the key in the place of its environment's line, or below the others. All other lines stay as they are.
func (t TrustedHosts) Pin(key signature.HostKey) error {
	data, err := t.read()
	if err != nil {
		return t.refuse(err)
	}
	keys, err := t.parse(data)
	if err != nil {
		return t.refuse(err)
	}
	content := t.with(data, keys, key)
	if _, err := t.parse(content); err != nil { // the name or the key is that of another environment's host
		return t.refuse(err)
	}
	if err := t.write(content); err != nil {
		return &exit.Error{Code: exit.LocalFailed, Err: err, Message: fmt.Sprintf("cannot write %s: %v", printable.Line(t.Path()), err),
			Next: "ls -ld " + exit.Word(t.Folder)}
	}
	return nil
}

// header tells who opens a new file what it is.
const header = "# Whose receipts count (docs/receipts.md): one line a host, its last word is the environment. Reviewed like hosts.toml.\n" +
	"# Written by `rpctl agent pin --env ENVIRONMENT`, which reads each key on its host as root.\n"

func (t TrustedHosts) with(data []byte, keys []signature.HostKey, key signature.HostKey) []byte {
	if len(data) == 0 {
		return []byte(header + key.Line())
	}
	lines := bytes.SplitAfter(data, []byte("\n"))
	for _, known := range keys {
		if known.Comment == key.Comment {
			lines[known.Number-1] = []byte(key.Line())
			return bytes.Join(lines, nil)
		}
	}
	return []byte(strings.TrimSuffix(string(data), "\n") + "\n" + key.Line())
}

// write puts the content in the file's place, whole or not at all.
func (t TrustedHosts) write(content []byte) (err error) {
	folder, err := os.OpenRoot(t.Folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	staged := filepath.Join(filepath.Dir(t.Name), "."+filepath.Base(t.Name)+".rpctl-new")
	if err := folder.Remove(staged); err != nil && !errors.Is(err, fs.ErrNotExist) { // of a run that was cut off
		return err
	}
	file, err := folder.OpenFile(staged, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = folder.Rename(staged, t.Name)
	}
	if err != nil {
		_ = folder.Remove(staged) // what failed before is what is told
	}
	return err
}
