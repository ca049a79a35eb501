//go:build !linux

package peer

import (
	"errors"
	"syscall"
)

var errNotLinux = errors.New("cannot ask the kernel who is calling: rp-agent serves its socket on Linux only")

// FromConn fails: only Linux is a host.
func FromConn(syscall.Conn) (Caller, error) { return Caller{}, errNotLinux }

// FromFD fails: only Linux is a host.
func FromFD(int) (Caller, error) { return Caller{}, errNotLinux }
