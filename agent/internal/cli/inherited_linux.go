package cli

import (
	"errors"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// inherited is the Unix socket on standard input. Standard input and output then lead
// nowhere: a stray print of any package must not get into the conversation.
func inherited() (*net.UnixConn, error) {
	conn, err := net.FileConn(os.Stdin)
	if err != nil {
		return nil, errors.New("standard input is no socket")
	}
	socket, ok := conn.(*net.UnixConn)
	if !ok {
		return nil, errors.Join(errors.New("standard input is no Unix socket"), conn.Close())
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	defer null.Close()
	for _, fd := range []int{unix.Stdin, unix.Stdout} {
		if err := unix.Dup3(int(null.Fd()), fd, 0); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	return socket, nil
}
