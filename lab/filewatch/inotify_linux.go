package filewatch

import (
	"context"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// changes are those of one folder, by inotify(7).
type changes struct {
	file *os.File
	stop func() bool
}

const wanted = unix.IN_CREATE | unix.IN_MODIFY | unix.IN_MOVED_TO | unix.IN_MOVED_FROM | unix.IN_DELETE

// watch begins before it returns: no change after it is missed.
func watch(ctx context.Context, folder string) (*changes, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("inotify_init1", err)
	}
	file := os.NewFile(uintptr(fd), "inotify")
	if _, err := unix.InotifyAddWatch(fd, folder, wanted); err != nil {
		_ = file.Close()
		return nil, os.NewSyscallError("inotify_add_watch", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = file.SetReadDeadline(time.Now()) })
	return &changes{file: file, stop: stop}, nil
}

// next waits for one change or more. Which they are does not matter.
func (c *changes) next() error {
	_, err := c.file.Read(make([]byte, 4096))
	return err
}

func (c *changes) close() {
	c.stop()
	_ = c.file.Close()
}
