package statefile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"golang.org/x/sys/unix"
)

// temporary is the name of a file that is being written: its place's name, hidden, and a number. Older
// agents wrote no dot before the number, and did not lock it.
var temporary = regexp.MustCompile(`^\..+\.json(\.?)[0-9]+$`)

// unlockedAge is longer than any agent takes to write a file.
const unlockedAge = time.Hour

// Replace puts data into the file path, whose name ends in .json, whole or not at all. When it returns
// without error, the data survives a power loss. Several processes may write the same file at once: the
// last one's is kept.
//
// A temporary file is locked by its writer, and the kernel drops that lock with it: what a killed
// writer left in the folder is known by that, and removed by the next one.
func Replace(path string, data []byte, mode fs.FileMode) error {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer folder.Close()
	Sweep(folder.Name())
	file, err := stage(folder.Name(), filepath.Base(path), lockTemporary)
	if err != nil {
		return err
	}
	defer file.Close() // drops the lock: not before it has its name
	if err = fill(file, data, mode); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		_ = os.Remove(file.Name()) // where the disk does not even allow that, the next writer sweeps it
		return err
	}
	return folder.Sync()
}

// stage makes a new temporary file and locks it. Between the two another writer's sweep may have it, and then
// the next one is tried.
func stage(folder, name string, lock func(*os.File) error) (*os.File, error) {
	for {
		file, err := os.CreateTemp(folder, "."+name+".*")
		if err != nil {
			return nil, err
		}
		if err = lock(file); err == nil {
			return file, nil
		}
		_ = os.Remove(file.Name())
		_ = file.Close()
		if !errors.Is(err, errSwept) {
			return nil, err
		}
	}
}

// errSwept says that another writer's sweep holds a temporary file, or has removed it.
var errSwept = errors.New("another writer took the temporary file for left over")

// lockTemporary is errSwept where another try can help, and any other error where it cannot.
func lockTemporary(file *os.File) error {
	err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	switch {
	case errors.Is(err, unix.EWOULDBLOCK):
		return errSwept
	case err != nil:
		return os.NewSyscallError("flock", err)
	}
	var stat unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &stat); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	if stat.Nlink == 0 {
		return errSwept
	}
	return nil
}

func fill(file *os.File, data []byte, mode fs.FileMode) error {
	if _, err := file.Write(data); err != nil {
		return err
	}
	if err := file.Chmod(mode); err != nil {
		return err
	}
	return file.Sync()
}

// Sweep removes what dead writers left in a folder. Replace does so too; that it cannot is no reason not to write.
func Sweep(folder string) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return
	}
	for _, entry := range entries {
		if match := temporary.FindStringSubmatch(entry.Name()); match != nil && entry.Type().IsRegular() {
			sweepOne(filepath.Join(folder, entry.Name()), match[1] == "")
		}
	}
}

func sweepOne(path string, neverLocked bool) {
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || neverLocked && time.Since(info.ModTime()) < unlockedAge {
		return
	}
	if unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
		_ = os.Remove(path)
	}
}
