package migrate

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/re-connect/rpctl/controller/internal/local"
)

// open opens the folder of receipts; with create it is made where there is none. A link is refused, and so is a
// folder of another user, who could put links in it. The caller closes the folder.
func (s store) open(create bool) (*os.Root, error) {
	info, err := os.Lstat(s.folder)
	if errors.Is(err, fs.ErrNotExist) && create {
		if err = os.MkdirAll(s.folder, 0o755); err == nil {
			info, err = os.Lstat(s.folder)
		}
	}
	switch {
	case err != nil:
		return nil, err
	case info.Mode()&fs.ModeSymlink != 0:
		return nil, fmt.Errorf("%s is a link, which is not followed", s.folder)
	case !info.IsDir():
		return nil, fmt.Errorf("%s is no folder", s.folder)
	case !local.OwnedByUs(info):
		return nil, fmt.Errorf("%s belongs to another user", s.folder)
	}
	folder, err := os.OpenRoot(s.folder)
	if err != nil {
		return nil, err
	}
	if opened, err := folder.Stat("."); err != nil || !os.SameFile(info, opened) {
		return nil, errors.Join(fmt.Errorf("%s was replaced meanwhile", s.folder), err, folder.Close())
	}
	return folder, nil
}

// get reads a file of the folder.
func (s store) get(name string) ([]byte, error) {
	folder, err := s.open(false)
	if err != nil {
		return nil, err
	}
	defer func() { _ = folder.Close() }()
	info, err := folder.Lstat(name)
	if err != nil {
		return nil, of(err, s.path(name))
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no plain file", s.path(name))
	}
	file, err := folder.OpenFile(name, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, of(err, s.path(name))
	}
	defer func() { _ = file.Close() }()
	if opened, err := file.Stat(); err != nil || !os.SameFile(info, opened) {
		return nil, errors.Join(fmt.Errorf("%s was replaced meanwhile", s.path(name)), err)
	}
	return limited(file, s.path(name), maxReceipt)
}

// readBounded reads a file that the operator named.
func readBounded(path string, limit int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	return limited(file, path, limit)
}

func limited(file *os.File, path string, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s is longer than %d bytes", path, limit)
	}
	return data, err
}

// writeIn writes a file of a folder whole or not at all. What had the name, a link too, is replaced.
func writeIn(folder *os.Root, name, content string) (err error) {
	temporary := "." + name + "-" + rand.Text()
	file, err := folder.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = folder.Remove(temporary) // what is told is why it could not be written
		}
	}()
	_, err = file.WriteString(content)
	if err == nil {
		err = file.Sync() // some disks say only here that they are full
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	return folder.Rename(temporary, name)
}

// of is an error of a name in a folder, told with the whole path.
func of(err error, path string) error {
	var at *os.PathError
	var between *os.LinkError
	switch {
	case errors.As(err, &at):
		return &os.PathError{Op: at.Op, Path: path, Err: at.Err}
	case errors.As(err, &between):
		return &os.PathError{Op: between.Op, Path: path, Err: between.Err}
	}
	return err
}
