//go:build !linux

package console

import "golang.org/x/sys/unix"

// passThrough opens a folder; without O_PATH that takes the right to list it.
const passThrough = unix.O_RDONLY
