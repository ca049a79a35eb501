package migrate

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/re-connect/rpctl/controller/internal/exit"
)

func TestAFullDiskLeavesNoEmptyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.json")
	err := writeNew(path, func(file *os.File) error {
		_, _ = file.WriteString("{") // the part that still had room
		return &os.PathError{Op: "write", Path: path, Err: syscall.ENOSPC}
	})
	check(t, err, exit.LocalFailed, "no space left on device; no part of it was left there", "df -h "+filepath.Dir(path))
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("a stub stays: %v", err)
	}
	if err := WriteNew(path, []byte("{}")); err != nil { // the same command, once there is room
		t.Fatal(err)
	}
	check(t, WriteNew(path, []byte("[]")), exit.BadInput, "file exists", "ls -l "+path)
	if text, err := os.ReadFile(path); err != nil || string(text) != "{}" {
		t.Errorf("what was there is now %q, %v", text, err)
	}
}

func TestWritable(t *testing.T) {
	folder := t.TempDir()
	if err := Writable(filepath.Join(folder, "n.toml")); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("the trial left %v, %v", left, err)
	}
	gone := filepath.Join(folder, "gone")
	check(t, Writable(filepath.Join(gone, "n.toml")), exit.BadInput, "n.toml: no such file or directory", "ls -ld "+gone)
}
