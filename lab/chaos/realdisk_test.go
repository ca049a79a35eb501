package chaos

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/re-connect/rpctl/lab/labtest"
)

// TestDisk: it loses what was not synced, fills up, fails, and is mended.
func TestDisk(t *testing.T) {
	labtest.Need(t)
	if _, err := os.Stat("/dev/loop-control"); err != nil {
		t.Skip("this machine has no loop devices")
	}
	root := t.TempDir()
	d, err := newDisk(t.Context(), filepath.Join(t.TempDir(), "disk"), root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.remove(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	state := filepath.Join(root, onDisk[0])
	check := func(what string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	write := func(name string, synced bool) error {
		f, err := os.Create(filepath.Join(state, name))
		if err != nil {
			return err
		}
		_, err = f.WriteString(name)
		if synced {
			err = errors.Join(err, f.Sync())
		}
		return errors.Join(err, f.Close())
	}
	// The folder's name itself was only made now, so the sync of the file takes it along.
	check("synced", write("synced", true), nil)
	check("unsynced", write("unsynced", false), nil)
	check("a power cut", d.forget(t.Context()), nil)
	text, err := os.ReadFile(filepath.Join(state, "synced"))
	if err != nil || string(text) != "synced" {
		t.Errorf("what was synced is %q: %v", text, err)
	}
	if text, _ := os.ReadFile(filepath.Join(state, "unsynced")); len(text) > 0 {
		t.Errorf("what was not synced is %q", text)
	}
	check("filling", d.fill(), nil)
	check("a full disk", write("more", true), syscall.ENOSPC)
	check("emptying", d.empty(), nil)
	check("crowding", d.crowd(), nil)
	check("no inode left", write("more2", true), syscall.ENOSPC)
	check("emptying", d.empty(), nil)
	check("room again", write("more", true), nil)
	check("failing", d.fails(t.Context()), nil)
	check("a disk that fails", write("more3", true), syscall.EROFS)
	check("a repair while another mount is left", func() error {
		other := filepath.Join(t.TempDir(), "other")
		if err := os.Mkdir(other, 0o700); err != nil {
			return err
		}
		if err := command(t.Context(), "mount", "--bind", d.mount(), other); err != nil {
			return err
		}
		t.Cleanup(func() { _ = command(context.WithoutCancel(t.Context()), "umount", other) })
		return nil
	}(), nil)
	check("a repair", d.repair(t.Context()), nil)
	check("a repaired disk", write("more3", true), nil)
}
