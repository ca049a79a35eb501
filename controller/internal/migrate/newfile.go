package migrate

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"

	"github.com/re-connect/rpctl/controller/internal/exit"
)

// WriteNew writes a file that must not be there yet: nothing of the operator's is overwritten. One that
// cannot be written whole is taken away again, so that the same command works once there is room.
func WriteNew(path string, content []byte) error {
	return writeNew(path, func(file *os.File) error {
		if _, err := file.Write(content); err != nil {
			return err
		}
		return file.Sync() // some disks say only here that they are full
	})
}

func writeNew(path string, fill func(*os.File) error) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return unwritable(path, err)
	}
	err = fill(file)
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		return nil
	}
	_ = os.Remove(path) // it is this command's own, and what is told is why
	return &exit.Error{
		Code: exit.LocalFailed, Err: err, Message: "cannot write: " + err.Error() + "; no part of it was left there",
		Next: "df -h " + exit.Word(filepath.Dir(path)),
	}
}

// Writable says before a long conversation whether a file could be made at path, by making another beside it.
func Writable(path string) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".rpctl-")
	if err != nil {
		var at *os.PathError
		if errors.As(err, &at) { // the name of a trial would tell nothing
			err = &os.PathError{Op: "open", Path: path, Err: at.Err}
		}
		return unwritable(path, err)
	}
	_ = file.Close() // nothing was written
	return os.Remove(file.Name())
}

// unwritable is a file that cannot even be made: the name is wrong, unless the disk has no room for one more.
func unwritable(path string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return &exit.Error{Code: exit.LocalFailed, Err: err, Message: "cannot write: " + err.Error(), Next: "df -h " + exit.Word(filepath.Dir(path))}
	}
	next := "ls -l " + exit.Word(path)
	if !errors.Is(err, os.ErrExist) {
		next = "ls -ld " + exit.Word(filepath.Dir(path))
	}
	return &exit.Error{Code: exit.BadInput, Err: err, Message: "cannot write: " + err.Error() + "; name another file", Next: next}
}
