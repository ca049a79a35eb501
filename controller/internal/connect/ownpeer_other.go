//go:build !linux

package connect

import "net"

// ownPeer trusts the owner of the socket's file, which overMaster looks at.
func ownPeer(*net.UnixConn) error { return nil }
