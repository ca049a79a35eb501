package connect

import (
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// ownPeer refuses a socket whose other end another user listens at: the file's owner can be exchanged after it was
// looked at, the listener's credentials cannot (unix(7)).
func ownPeer(conn *net.UnixConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var credentials *unix.Ucred
	var failed error
	if err := raw.Control(func(fd uintptr) {
		credentials, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return err
	}
	if failed != nil {
		return failed
	}
	if int(credentials.Uid) != os.Getuid() {
		return fmt.Errorf("the control socket is served by uid %d", credentials.Uid)
	}
	return nil
}
