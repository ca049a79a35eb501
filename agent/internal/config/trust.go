package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/re-connect/rpctl/internal/stricttoml"
	"github.com/re-connect/rpctl/proto"
)

// trust says whose files are believed.
type trust struct {
	owner uint32
	// top is a folder that is believed unseen, where the walk begins. It is / but in tests,
	// whose temporary folders stand below /tmp, where everybody writes.
	top string
}

// root believes what only root can have written.
var root = trust{owner: 0, top: "/"}

// doubtError says why a file is not believed, and how to mend it.
type doubtError struct {
	why string
	fix proto.Advice
}

func (e *doubtError) Error() string { return e.why }

// read returns a file's content when neither it nor any folder above it can have
// been changed by another than the owner. Each step is opened below the one before,
// without following links, and what was opened is what is looked at and read: nothing
// can be swapped in between.
func (t trust) read(name string) ([]byte, error) {
	below, ok := strings.CutPrefix(name, strings.TrimSuffix(t.top, "/")+"/")
	if !ok || path.Clean(name) != name {
		return nil, fmt.Errorf("cannot read %s: want an absolute, clean path", name)
	}
	steps := strings.Split(below, "/")
	folder, err := unix.Open(t.top, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: t.top, Err: err}
	}
	defer func() { _ = unix.Close(folder) }()
	if t.top == root.top {
		if err := t.checkFolder(folder, "/"); err != nil {
			return nil, err
		}
	}
	for i := range steps[:len(steps)-1] {
		at := path.Join(t.top, path.Join(steps[:i+1]...))
		next, err := openBelow(folder, steps[i], at, unix.O_DIRECTORY)
		if err != nil {
			return nil, err
		}
		_ = unix.Close(folder)
		folder = next
		if err := t.checkFolder(folder, at); err != nil {
			return nil, err
		}
	}
	return t.readFile(folder, steps[len(steps)-1], name)
}

// readFile reads what must be a regular file in an open folder. O_NONBLOCK keeps
// a FIFO that stands there from holding the agent.
func (t trust) readFile(folder int, base, name string) ([]byte, error) {
	fd, err := openBelow(folder, base, name, unix.O_NONBLOCK)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), name)
	defer func() { _ = file.Close() }()
	stat, err := t.checkOwner(fd, name)
	if err != nil {
		return nil, err
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, &doubtError{name + " is no regular file", proto.Advice{Code: proto.AdviceRemove, Path: name}}
	}
	data, err := io.ReadAll(io.LimitReader(file, stricttoml.MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", name, err)
	}
	return data, nil
}

func openBelow(folder int, base, name string, flags int) (int, error) {
	fd, err := unix.Openat(folder, base, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC|flags, 0)
	var stat unix.Stat_t
	switch {
	case err == nil:
		return fd, nil
	case unix.Fstatat(folder, base, &stat, unix.AT_SYMLINK_NOFOLLOW) == nil && stat.Mode&unix.S_IFMT == unix.S_IFLNK:
		return -1, &doubtError{name + " is a link", install}
	case errors.Is(err, unix.EACCES):
		return -1, fmt.Errorf("cannot open %s: %w (user rp-agent must be able to read it)", name, err)
	default:
		return -1, fmt.Errorf("cannot open %s: %w", name, err)
	}
}

func (t trust) checkFolder(fd int, name string) error {
	_, err := t.checkOwner(fd, name)
	return err
}

// checkOwner refuses what another than the owner holds or may write. With a POSIX
// ACL the group bits are the ACL's mask, so that a grant of writing shows here too.
func (t trust) checkOwner(fd int, name string) (unix.Stat_t, error) {
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return stat, &os.PathError{Op: "stat", Path: name, Err: err}
	}
	if stat.Uid != t.owner {
		return stat, &doubtError{fmt.Sprintf("%s belongs to uid %d, not to root", name, stat.Uid), proto.Advice{Code: proto.AdviceOwner, Path: name}}
	}
	if mode := uint32(stat.Mode); mode&0o022 != 0 {
		return stat, &doubtError{fmt.Sprintf("%s can be written by others than root (mode %04o)", name, mode&0o7777), proto.Advice{Code: proto.AdviceRights, Path: name}}
	}
	return stat, nil
}
