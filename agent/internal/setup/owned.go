package setup

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// ownedFolder is a folder that another user owns, in which root works without
// being led astray: names are looked up below it only (os.Root), files are made anew
// and changed by their descriptor, and what is read must be a plain file of that user.
type ownedFolder struct {
	*os.Root
	owner account
}

// openOwned opens path, whose parents are root's, and refuses it when it is not the owner's.
func openOwned(path string, owner account) (*ownedFolder, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	info, err := root.Stat(".")
	if err == nil && uidOf(info) != owner.uid {
		err = fmt.Errorf("%s belongs to uid %d, not to %d", path, uidOf(info), owner.uid)
	}
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return &ownedFolder{root, owner}, nil
}

func uidOf(info fs.FileInfo) int { return int(info.Sys().(*syscall.Stat_t).Uid) }

// read returns a file of at most limit bytes; fs.ErrNotExist when there is none. A file
// of another user, one with a second name, a link, a FIFO: each could show that user
// what is not theirs, so each is refused.
func (f *ownedFolder) read(name string, limit int64) ([]byte, error) {
	if info, err := f.Lstat(name); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no plain file", filepath.Join(f.Name(), name))
	}
	file, err := f.OpenFile(name, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if stat := info.Sys().(*syscall.Stat_t); !info.Mode().IsRegular() || int(stat.Uid) != f.owner.uid || stat.Nlink != 1 {
		return nil, fmt.Errorf("%s is not plainly a file of its folder's owner (uid %d, %d names)",
			filepath.Join(f.Name(), name), stat.Uid, stat.Nlink)
	}
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s is longer than %d bytes", filepath.Join(f.Name(), name), limit)
	}
	return data, err
}

func stagedName(name string) string { return "." + name + ".rp-agent-new" }

// stage writes a new file of the folder's owner under a name of its own.
func (f *ownedFolder) stage(name string, content []byte, mode fs.FileMode) (staged string, err error) {
	staged = stagedName(name)
	if err := f.Remove(staged); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	file, err := f.OpenFile(staged, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if _, err := file.Write(content); err != nil {
		return "", err
	}
	if err := file.Chown(f.owner.uid, f.owner.gid); err != nil {
		return "", err
	}
	if err := file.Chmod(mode); err != nil {
		return "", err
	}
	return staged, file.Sync()
}

// replace puts content in the place of name, whatever stands there.
func (f *ownedFolder) replace(name string, content []byte, mode fs.FileMode) error {
	staged, err := f.stage(name, content, mode)
	if err != nil {
		return err
	}
	return errors.Join(f.Rename(staged, name), f.sync())
}

// create puts content at name and fails with fs.ErrExist when something stands there.
func (f *ownedFolder) create(name string, content []byte, mode fs.FileMode) error {
	staged, err := f.stage(name, content, mode)
	if err != nil {
		return err
	}
	err = f.Link(staged, name)
	return errors.Join(err, f.Remove(staged), f.sync())
}

func (f *ownedFolder) sync() error {
	folder, err := f.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
