package setup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/systemd"
)

// target is a file that shall be there, in a folder that root owns.
type target struct {
	path     string
	mode     fs.FileMode
	uid, gid int
	open     func() (io.ReadCloser, error)
	// explain says what another content means; nil shows nothing but that it differs.
	explain func(old []byte, there bool, change *proto.SetupChange) error
}

func fromBytes(content []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }
}

// file plans t where the host has it otherwise.
func (p *Plan) file(t target) error {
	full := p.host.path(t.path)
	why, err := differs(full, t)
	if err != nil {
		return err
	}
	if why == "" {
		p.leftovers(t.path)
		return nil
	}
	change := proto.SetupChange{Action: "replace", Target: t.path, Detail: why}
	if why == missing {
		change.Action, change.Detail = "create", ""
	}
	if err := explain(full, t, why != missing, &change); err != nil {
		return err
	}
	staged, old := beside(full, "new"), beside(full, "old")
	p.actions = append(p.actions, action{
		SetupChange: change,
		unit:        strings.HasPrefix(t.path, systemd.UnitDir+"/"),
		stage:       func() error { return stageFile(full, staged, old, t) },
		do:          func(context.Context) error { return place(staged, full) },
		undo:        func() error { return putBack(full, old) },
		clean:       func() { _ = os.Remove(staged); _ = os.Remove(old) },
	})
	return nil
}

// maxExplained is the longest file whose change is explained, in bytes.
const maxExplained = 1 << 20

func explain(full string, t target, there bool, change *proto.SetupChange) error {
	if t.explain == nil {
		return nil
	}
	var old []byte
	if there {
		file, err := os.Open(full)
		if err != nil {
			return err
		}
		defer file.Close()
		if old, err = io.ReadAll(io.LimitReader(file, maxExplained)); err != nil {
			return err
		}
	}
	return t.explain(old, there, change)
}

// beside is a name in the same folder that no reader of the folder takes for its own
// (units, rules, *.conf). It is always the same, so what a crash left is overwritten.
func beside(full, what string) string {
	return filepath.Join(filepath.Dir(full), "."+filepath.Base(full)+".rp-agent-"+what)
}

// leftovers plans to remove what a setup that was cut off left beside a file that needs no change any more.
func (p *Plan) leftovers(name string) {
	for _, what := range []string{"new", "old"} {
		left := beside(p.host.path(name), what)
		if _, err := os.Lstat(left); err == nil {
			p.actions = append(p.actions, action{
				SetupChange: proto.SetupChange{Action: "remove", Target: beside(name, what), Detail: "a setup that was cut off left it"},
				do:          func(context.Context) error { return os.Remove(left) },
			})
		}
	}
}

const missing = "missing"

// differs says how the file is not t, or "" when it is. What is no plain file is not replaced:
// a masked unit or an administrator's link has its reason.
func differs(full string, t target) (string, error) {
	info, err := os.Lstat(full)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return missing, nil
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("%s is no plain file (%s): if it is a masked unit, `systemctl unmask %s`; else remove it",
			t.path, info.Mode().Type(), path.Base(t.path))
	}
	same, err := sameContent(full, t.open)
	if err != nil {
		return "", err
	}
	var ways []string
	if !same {
		ways = append(ways, "content differs")
	}
	if info.Mode().Perm() != t.mode {
		ways = append(ways, fmt.Sprintf("mode %04o, want %04o", info.Mode().Perm(), t.mode))
	}
	if stat := info.Sys().(*syscall.Stat_t); int(stat.Uid) != t.uid || int(stat.Gid) != t.gid {
		ways = append(ways, fmt.Sprintf("owner %d:%d, want %d:%d", stat.Uid, stat.Gid, t.uid, t.gid))
	}
	return strings.Join(ways, ", "), nil
}

func sameContent(full string, open func() (io.ReadCloser, error)) (bool, error) {
	there, err := os.Open(full)
	if err != nil {
		return false, err
	}
	defer there.Close()
	wanted, err := open()
	if err != nil {
		return false, err
	}
	defer wanted.Close()
	a, err := digest(there)
	if err != nil {
		return false, err
	}
	b, err := digest(wanted)
	return a == b, err
}

func digest(r io.Reader) ([sha256.Size]byte, error) {
	sum := sha256.New()
	_, err := io.Copy(sum, r)
	return [sha256.Size]byte(sum.Sum(nil)), err
}

// stageFile writes t beside full, whole and on the disk, and keeps what is there under another name.
func stageFile(full, staged, old string, t target) error {
	if err := makeFolder(filepath.Dir(full)); err != nil {
		return err
	}
	for _, leftover := range []string{staged, old} {
		if err := os.Remove(leftover); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := os.Link(full, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	content, err := t.open()
	if err != nil {
		return err
	}
	defer content.Close()
	out, err := os.OpenFile(staged, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(fill(out, content, t), out.Close())
}

// fill gives an empty new file its content, owner and mode, and waits for the disk.
func fill(out *os.File, content io.Reader, t target) error {
	if _, err := io.Copy(out, content); err != nil {
		return err
	}
	if err := out.Chown(t.uid, t.gid); err != nil {
		return err
	}
	if err := out.Chmod(t.mode); err != nil {
		return err
	}
	return out.Sync()
}

// place puts the staged file where it belongs, in one step, and waits for the disk.
func place(staged, full string) error {
	if err := os.Rename(staged, full); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(full))
}

func syncFolder(name string) error {
	folder, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// makeFolder makes a folder and those above it that are missing, and waits for the disk.
func makeFolder(name string) error {
	err := os.Mkdir(name, 0o755)
	if errors.Is(err, fs.ErrNotExist) {
		if err = makeFolder(filepath.Dir(name)); err == nil {
			err = os.Mkdir(name, 0o755)
		}
	}
	// One that is there may have been made by a setup that was cut off: it is synced too.
	if err == nil || errors.Is(err, fs.ErrExist) {
		err = syncFolder(filepath.Dir(name))
	}
	return err
}

// putBack restores what stageFile kept, or the absence of it.
func putBack(full, old string) error {
	err := os.Rename(old, full)
	if errors.Is(err, fs.ErrNotExist) {
		err = os.Remove(full)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // do never came to it
		}
	}
	return err
}

func (h *Host) exists(name string) (bool, error) {
	_, err := os.Lstat(h.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
