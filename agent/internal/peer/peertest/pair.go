// Package peertest gives tests the socket that systemd hands to an instance of the agent, with its other end.
package peertest

import (
	"net"
	"os"
	"syscall"
	"testing"
)

// Pair is a connected pair of Unix sockets: ours is closed when the test ends, theirs is a file that a process may be
// given as its standard input, and is the caller's to close.
func Pair(t testing.TB) (ours *net.UnixConn, theirs *os.File) {
	t.Helper()
	syscall.ForkLock.RLock() // a process that is begun meanwhile must not keep an end open
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(fds[0]), "ours")
	defer file.Close()
	theirs = os.NewFile(uintptr(fds[1]), "theirs")
	conn, err := net.FileConn(file)
	if err != nil {
		_ = theirs.Close()
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn.(*net.UnixConn), theirs
}
