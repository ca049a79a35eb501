package chaos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"unsafe"
)

// disk is a file system of its own, in an image, that holds all that the agent writes on a host. What
// its kernel has not written to the image is lost with a power cut; what the application has is on
// another disk that loses nothing: of the two orders the worse one.
type disk struct {
	dir  string // of the image and its mount
	root string // of the host
}

// onDisk are the folders of a host that lie on the disk.
var onDisk = []string{"var/lib/rp-agent", "var/lib/rp-agent-console"}

// newDisk makes the disk and mounts it; the host must be down.
func newDisk(ctx context.Context, dir, root string) (*disk, error) {
	d := &disk{dir, root}
	if err := os.MkdirAll(d.mount(), 0o755); err != nil {
		return nil, err
	}
	// Small, so that it is full and out of inodes soon.
	for _, argv := range [][]string{{"truncate", "-s", "96M", d.image()}, {"mkfs.ext4", "-q", "-F", "-N", "8192", d.image()}} {
		if err := command(ctx, argv...); err != nil {
			return nil, err
		}
	}
	return d, d.attach(ctx)
}

func (d *disk) image() string { return filepath.Join(d.dir, "image") }
func (d *disk) mount() string { return filepath.Join(d.dir, "mount") }

// attach mounts the disk. The journal is committed when somebody asks for it (fsync), else every 5 minutes.
func (d *disk) attach(ctx context.Context) error {
	if err := command(ctx, "mount", "-o", "loop,commit=300,errors=remount-ro", d.image(), d.mount()); err != nil {
		return err
	}
	for _, name := range onDisk {
		from, to := filepath.Join(d.mount(), filepath.Base(name)), filepath.Join(d.root, name)
		if err := errors.Join(os.MkdirAll(from, 0o755), os.MkdirAll(to, 0o755)); err != nil {
			return err
		}
		if err := command(ctx, "mount", "--bind", from, to); err != nil {
			return err
		}
	}
	return nil
}

func (d *disk) detach(ctx context.Context) error {
	var errs []error
	for _, name := range onDisk {
		errs = append(errs, command(ctx, "umount", filepath.Join(d.root, name)))
	}
	return errors.Join(append(errs, command(ctx, "umount", d.mount()))...)
}

// forget makes the disk be as if its power had been cut, with the host's: what was never written to
// the image is not there. The host must be down already.
func (d *disk) forget(ctx context.Context) error {
	if err := shutDownDisk(d.mount()); err != nil {
		return fmt.Errorf("cannot cut the disk's power: %w", err)
	}
	return errors.Join(d.detach(ctx), d.renew(ctx), d.attach(ctx))
}

// renew puts a copy in the place of the image. Another lab that was booted meanwhile may still have the
// old one mounted, in a namespace of its own: mounted again it would be the same file system.
func (d *disk) renew(ctx context.Context) error {
	if err := command(ctx, "cp", "--sparse=always", d.image(), d.image()+".new"); err != nil {
		return err
	}
	return os.Rename(d.image()+".new", d.image())
}

// shutDownDisk stops a file system as xfstests' godown does: nothing more is written to its device, not
// even its journal.
func shutDownDisk(mount string) error {
	const (
		goingDown  = 0x8004587d // EXT4_IOC_SHUTDOWN, _IOR('X', 125, __u32)
		noLogFlush = 2
	)
	folder, err := os.Open(mount)
	if err != nil {
		return err
	}
	defer folder.Close()
	how := uint32(noLogFlush)
	if _, _, failed := syscall.Syscall(syscall.SYS_IOCTL, folder.Fd(), goingDown, uintptr(unsafe.Pointer(&how))); failed != 0 {
		return failed
	}
	return nil
}

// fails makes the kernel take the disk for broken: it becomes read-only for good.
func (d *disk) fails(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, "findmnt", "-n", "-o", "SOURCE", d.mount()).Output()
	if err != nil {
		return fmt.Errorf("cannot find the disk: %w", err)
	}
	name := filepath.Base(strings.TrimSpace(string(out)))
	return os.WriteFile(filepath.Join("/sys/fs/ext4", name, "trigger_fs_error"), []byte("chaos"), 0o200)
}

// repair is what an administrator does with it, while the host is down.
func (d *disk) repair(ctx context.Context) error {
	if err := errors.Join(d.detach(ctx), d.renew(ctx)); err != nil {
		return err
	}
	var exit *exec.ExitError
	err := command(ctx, "e2fsck", "-f", "-y", d.image())
	if errors.As(err, &exit) && exit.ExitCode() == 1 {
		err = nil // "errors corrected"
	}
	return errors.Join(err, d.attach(ctx))
}

// filler is a folder of what somebody else has filled the disk with.
func (d *disk) filler() string { return filepath.Join(d.mount(), "filler") }

// fill leaves no byte.
func (d *disk) fill() error {
	if err := os.MkdirAll(d.filler(), 0o755); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(d.filler(), "bytes"))
	if err != nil {
		return err
	}
	defer f.Close()
	for size := 1 << 20; size > 0; size /= 2 {
		block := make([]byte, size)
		for err = nil; err == nil; {
			_, err = f.Write(block)
		}
	}
	return nil
}

// crowd leaves no inode.
func (d *disk) crowd() error {
	if err := os.MkdirAll(d.filler(), 0o755); err != nil {
		return err
	}
	for i := 0; ; i++ {
		f, err := os.Create(filepath.Join(d.filler(), fmt.Sprint(i)))
		if err != nil {
			return nil // as was wanted
		}
		_ = f.Close()
	}
}

// empty gives back what fill and crowd took.
func (d *disk) empty() error { return os.RemoveAll(d.filler()) }

func (d *disk) remove(ctx context.Context) error {
	return errors.Join(d.detach(ctx), os.RemoveAll(d.dir))
}

// command runs a command of this machine.
func command(ctx context.Context, argv ...string) error {
	if out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("cannot run %s: %w: %s", strings.Join(argv, " "), err, bytes.TrimSpace(out))
	}
	return nil
}
