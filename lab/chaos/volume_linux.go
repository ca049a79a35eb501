package chaos

import (
	"fmt"
	"os"
	"syscall"
)

// volume is a file system of its own for the host's state, in memory: it can be made full, out of
// inodes or read-only under everything that writes there, without a line of code in between.
type volume struct{ path string }

// What a volume has in good times.
const plenty = "size=512m,nr_inodes=200000"

// mount makes the volume; the zero volume where the user may not, who then has no such faults.
func mount(path string) (volume, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return volume{}, err
	}
	if err := syscall.Mount("rpctl-chaos", path, "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, "mode=0700,"+plenty); err != nil {
		if os.Getuid() != 0 || err == syscall.EPERM {
			return volume{}, nil
		}
		return volume{}, fmt.Errorf("cannot mount the host's state: %w", err)
	}
	return volume{path}, nil
}

func (v volume) unmount() error {
	if v.path == "" {
		return nil
	}
	return syscall.Unmount(v.path, syscall.MNT_DETACH)
}

func (v volume) remount(flags uintptr, options string) error {
	if err := syscall.Mount("rpctl-chaos", v.path, "tmpfs", syscall.MS_REMOUNT|syscall.MS_NOSUID|syscall.MS_NODEV|flags, options); err != nil {
		return fmt.Errorf("cannot remount the host's state with %s: %w", options, err)
	}
	return nil
}

// restore gives back all that there was.
func (v volume) restore() error { return v.remount(0, plenty) }

// full leaves so many pages.
func (v volume) full(pages int) error {
	var s syscall.Statfs_t
	if err := syscall.Statfs(v.path, &s); err != nil {
		return err
	}
	// 0 would be no bound at all (tmpfs(5)), but something is there always.
	return v.remount(0, fmt.Sprintf("size=%d", (s.Blocks-s.Bfree+uint64(pages))*uint64(s.Bsize)))
}

// outOfInodes leaves so many names.
func (v volume) outOfInodes(names int) error {
	var s syscall.Statfs_t
	if err := syscall.Statfs(v.path, &s); err != nil {
		return err
	}
	return v.remount(0, fmt.Sprintf("nr_inodes=%d", s.Files-s.Ffree+uint64(names)))
}

// readOnly refuses while a file is open for writing: who calls tries again.
func (v volume) readOnly() error { return v.remount(syscall.MS_RDONLY, plenty) }
