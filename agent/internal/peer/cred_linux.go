package peer

import (
	"errors"
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxGroups is the kernel's NGROUPS_MAX: more than that no process can have.
const maxGroups = 65536

// FromConn says who connected conn, a Unix socket: the credentials at the moment
// of connect(2), which nothing that the peer does later can change.
func FromConn(conn syscall.Conn) (Caller, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return Caller{}, fmt.Errorf("cannot ask who is calling: %w", err)
	}
	var caller Caller
	var callErr error
	if err := raw.Control(func(fd uintptr) { caller, callErr = FromFD(int(fd)) }); err != nil {
		return Caller{}, fmt.Errorf("cannot ask who is calling: %w", err)
	}
	return caller, callErr
}

// FromFD is FromConn for a file descriptor, as systemd hands it over.
func FromFD(fd int) (Caller, error) {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return Caller{}, fmt.Errorf("cannot ask the kernel who is calling (SO_PEERCRED): %w", err)
	}
	if cred.Pid == 0 {
		return Caller{}, errors.New("cannot ask the kernel who is calling: nobody is connected")
	}
	gids, err := peerGroups(fd)
	if err != nil {
		return Caller{}, fmt.Errorf("cannot ask the kernel for the caller's groups (SO_PEERGROUPS): %w", err)
	}
	return named(cred.Uid, append(gids, cred.Gid)), nil
}

// peerGroups is the supplementary groups of the peer. The kernel answers ERANGE
// with the size that it needs (socket(7)); x/sys has no wrapper for the option.
func peerGroups(fd int) ([]uint32, error) {
	gids := make([]uint32, 32)
	for {
		size := uint32(len(gids) * 4)
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&gids[0])), uintptr(unsafe.Pointer(&size)), 0)
		switch {
		case errno == 0:
			return gids[:size/4], nil
		case errno == unix.ERANGE && int(size/4) > len(gids) && size/4 <= maxGroups:
			gids = make([]uint32, size/4)
		default:
			return nil, errno
		}
	}
}
