package local

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/internal/printable"
)

// Guard refuses a file that another user could change or replace: the file, each folder above it and each link on
// the way must belong to the caller, to root or to one of owners, and no one else may write there. A folder with the
// sticky bit (/tmp) may be open to all, and a group may write if it has no other members, as where each user has a
// group of their own and the umask is 002. Access lists (ACL) are seen only as far as they show in the group's bits.
//
// A file that is not there is no fault. The error is an *exit.Error of code BadInput.
func Guard(path string, owners ...int) error {
	trusted := append([]int{0, os.Geteuid()}, owners...)
	_, err := walk(path, func(at string, info fs.FileInfo) error {
		why, next := exposed(info, trusted)
		if why == "" {
			return nil
		}
		what := printable.Line(path)
		if at != path {
			what += " cannot be used: " + printable.Line(at)
		}
		next = strings.TrimSpace(next + " " + exit.Word(at))
		return &exit.Error{Code: exit.BadInput, Message: what + " " + why, Next: next}
	})
	var known *exit.Error
	if err != nil && !errors.As(err, &known) {
		return &exit.Error{Code: exit.BadInput, Err: err, Message: "cannot look at " + printable.Line(path) + ": " + printable.Line(err.Error()), Next: "ls -ld " + exit.Word(path)}
	}
	return err
}

// exposed says why others could change what info describes, and how that is mended; "" when they cannot.
func exposed(info fs.FileInfo, trusted []int) (why, next string) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "", ""
	}
	look := "ls -ld"
	if !slices.Contains(trusted, int(stat.Uid)) {
		return fmt.Sprintf("belongs to uid %d, not to you or root", stat.Uid), look
	}
	mode := info.Mode()
	switch {
	case mode&fs.ModeSymlink != 0, mode.IsDir() && mode&fs.ModeSticky != 0:
		return "", ""
	case mode.Perm()&0o002 != 0:
		return "can be changed by every user of this machine", "chmod go-w"
	case mode.Perm()&0o020 != 0 && !ownGroup(int(stat.Gid), trusted):
		return fmt.Sprintf("can be changed by group %d, which may have other members", stat.Gid), "chmod g-w"
	}
	return "", ""
}

// walk visits what lies on the way to path, from / on: every folder, every symbolic link, and what path names in
// the end. It returns the path without links. What is not there ends the walk without an error.
func walk(path string, visit func(at string, info fs.FileInfo) error) (real string, err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return "", err
	}
	rest, links := strings.Split(path, "/"), 0
	real = "/"
	for first := true; first || len(rest) > 0; first = false {
		at := real
		if !first {
			name := rest[0]
			rest = rest[1:]
			switch name {
			case "", ".":
				continue
			case "..":
				real = filepath.Dir(real)
				continue
			}
			at = filepath.Join(real, name)
		}
		info, err := os.Lstat(at)
		if os.IsNotExist(err) {
			return filepath.Join(append([]string{at}, rest...)...), nil
		}
		if err != nil {
			return "", err
		}
		if err := visit(at, info); err != nil {
			return "", err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			real = at
			continue
		}
		target, err := os.Readlink(at)
		if links++; err != nil || links > 40 {
			return "", &fs.PathError{Op: "readlink", Path: at, Err: syscall.ELOOP}
		}
		if filepath.IsAbs(target) {
			real = "/"
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return real, nil
}

// ownGroup says that a group has no member but the trusted users, as far as this machine's own files tell
// (passwd(5), group(5)).
func ownGroup(gid int, trusted []int) bool {
	var names []string // of trusted users
	id := strconv.Itoa(gid)
	alone := lines("/etc/passwd", func(f []string) bool {
		if len(f) < 4 {
			return true
		}
		uid, err := strconv.Atoi(f[2])
		known := err == nil && slices.Contains(trusted, uid)
		if known {
			names = append(names, f[0])
		}
		return known || f[3] != id
	})
	found := false
	return alone && lines("/etc/group", func(f []string) bool {
		if len(f) < 4 || f[2] != id {
			return true
		}
		found = true
		for member := range strings.SplitSeq(f[3], ",") {
			if member != "" && !slices.Contains(names, member) {
				return false
			}
		}
		return true
	}) && found
}

// lines calls good with the fields of each line of a file of accounts; false when one is not, or none can be read.
func lines(path string, good func(fields []string) bool) bool {
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = file.Close() }()
	scanner := bufio.NewScanner(file)
	for scanner.Scan() {
		if !good(strings.Split(scanner.Text(), ":")) {
			return false
		}
	}
	return scanner.Err() == nil
}

// OwnedByUs says that a file belongs to the caller or to root.
func OwnedByUs(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return !ok || stat.Uid == 0 || int(stat.Uid) == os.Geteuid()
}
