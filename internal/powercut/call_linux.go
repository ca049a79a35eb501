package powercut

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// kind is what a system call does to a disk.
type kind int

const (
	changes kind = iota // length or rights, or a name is removed
	writes              // content
	makes               // a new file, folder or link
	renames
	syncs
)

// at says where a call's arguments have its paths: fd is the number of the argument that is a
// descriptor (-1: none), path of the one that is a name, relative to fd (-1: fd itself).
type where struct{ fd, path int }

// form is a system call that writes. Its last place is what it makes or changes.
type form struct {
	name  string
	kind  kind
	place where
	to    *where // of a rename and a link
}

var forms = map[uint64]form{
	unix.SYS_OPENAT:          {"open", makes, where{0, 1}, nil},
	unix.SYS_WRITE:           {"write", writes, where{0, -1}, nil},
	unix.SYS_PWRITE64:        {"pwrite", writes, where{0, -1}, nil},
	unix.SYS_WRITEV:          {"writev", writes, where{0, -1}, nil},
	unix.SYS_PWRITEV:         {"pwritev", writes, where{0, -1}, nil},
	unix.SYS_PWRITEV2:        {"pwritev2", writes, where{0, -1}, nil},
	unix.SYS_SENDFILE:        {"sendfile", writes, where{0, -1}, nil},
	unix.SYS_COPY_FILE_RANGE: {"copy_file_range", writes, where{2, -1}, nil},
	unix.SYS_SPLICE:          {"splice", writes, where{2, -1}, nil},
	unix.SYS_FTRUNCATE:       {"ftruncate", changes, where{0, -1}, nil},
	unix.SYS_TRUNCATE:        {"truncate", changes, where{-1, 0}, nil},
	unix.SYS_FALLOCATE:       {"fallocate", writes, where{0, -1}, nil},
	unix.SYS_FCHMOD:          {"fchmod", changes, where{0, -1}, nil},
	unix.SYS_FCHMODAT:        {"chmod", changes, where{0, 1}, nil},
	unix.SYS_FCHMODAT2:       {"chmod", changes, where{0, 1}, nil},
	unix.SYS_FCHOWN:          {"fchown", changes, where{0, -1}, nil},
	unix.SYS_FCHOWNAT:        {"chown", changes, where{0, 1}, nil},
	unix.SYS_MKDIRAT:         {"mkdir", makes, where{0, 1}, nil},
	unix.SYS_MKNODAT:         {"mknod", makes, where{0, 1}, nil},
	unix.SYS_SYMLINKAT:       {"symlink", makes, where{1, 2}, nil},
	unix.SYS_LINKAT:          {"link", renames, where{0, 1}, &where{2, 3}},
	unix.SYS_RENAMEAT:        {"rename", renames, where{0, 1}, &where{2, 3}},
	unix.SYS_RENAMEAT2:       {"rename", renames, where{0, 1}, &where{2, 3}},
	unix.SYS_UNLINKAT:        {"unlink", changes, where{0, 1}, nil},
	unix.SYS_FSYNC:           {"fsync", syncs, where{0, -1}, nil},
	unix.SYS_FDATASYNC:       {"fdatasync", syncs, where{0, -1}, nil},
}

// call is a system call that is about to write below the root.
type call struct {
	form
	path, to string
	existed  bool   // before it
	reads    bool   // it opens what is there for reading only
	size     uint64 // of a write, in bytes; 0 where that cannot be told from a register
	// errno is what it returns instead of being made; 0: it is made.
	errno unix.Errno
}

func (c *call) String(root string) string {
	text := c.name + " " + below(root, c.path)
	if c.to != "" {
		text += " → " + below(root, c.to)
	}
	return text
}

func below(root, path string) string {
	if relative, err := filepath.Rel(root, path); err == nil && !strings.HasPrefix(relative, "..") {
		return relative
	}
	return path
}

// tracee is a process that can be looked into while a thread of it is stopped.
type tracee struct {
	pid  int
	root string
}

// entering is the call that thread tid is about to make, or nil where it writes nothing below the root.
func (p tracee) entering(tid int, number uint64, args [6]uint64) (*call, error) {
	f, ok := forms[number]
	if !ok || (number == unix.SYS_OPENAT && args[2]&(unix.O_CREAT|unix.O_TRUNC) == 0) {
		return nil, nil
	}
	c := &call{form: f}
	var err error
	if c.path, err = p.resolve(args, f.place); err != nil {
		return nil, err
	}
	if f.to != nil {
		if c.to, err = p.resolve(args, *f.to); err != nil {
			return nil, err
		}
	}
	if !p.holds(c.path) && !p.holds(c.to) {
		return nil, nil
	}
	_, err = os.Lstat(c.path)
	c.existed = err == nil
	switch number {
	case unix.SYS_OPENAT:
		c.reads = c.existed && args[2]&(unix.O_WRONLY|unix.O_RDWR|unix.O_TRUNC) == 0
	case unix.SYS_WRITE, unix.SYS_PWRITE64:
		c.size = args[2]
	}
	return c, nil
}

func (p tracee) holds(path string) bool {
	return path == p.root || strings.HasPrefix(path, p.root+"/")
}

// resolve is the path that arguments name; of a file without a name the name that it had.
func (p tracee) resolve(args [6]uint64, place where) (string, error) {
	name := ""
	if place.path >= 0 {
		var err error
		if name, err = p.text(args[place.path]); err != nil || filepath.IsAbs(name) {
			return name, err
		}
	}
	folder := fmt.Sprintf("/proc/%d/cwd", p.pid)
	if place.fd >= 0 && int32(args[place.fd]) != unix.AT_FDCWD {
		folder = fmt.Sprintf("/proc/%d/fd/%d", p.pid, int32(args[place.fd]))
	}
	folder, err := os.Readlink(folder)
	if err != nil {
		return "", nil // no such descriptor: the call fails by itself
	}
	return filepath.Join(folder, name), nil
}

// text is a string in the memory of the process, which ends with a zero.
func (p tracee) text(address uint64) (string, error) {
	data, err := p.memory(address, unix.PathMax)
	if end := bytes.IndexByte(data, 0); end >= 0 {
		return string(data[:end]), nil
	}
	return "", fmt.Errorf("cannot read a path of the process: %w", err)
}

// memory is up to size bytes at address: fewer where the next page is not there.
func (p tracee) memory(address uint64, size int) ([]byte, error) {
	file, err := os.Open(fmt.Sprintf("/proc/%d/mem", p.pid))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data := make([]byte, size)
	n, err := file.ReadAt(data, int64(address))
	return data[:n], err
}
