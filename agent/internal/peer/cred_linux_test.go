package peer

import (
	"net"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// me is what FromFD must say of this very process.
func me(t *testing.T) Caller {
	t.Helper()
	groups, err := os.Getgroups()
	if err != nil {
		t.Fatal(err)
	}
	gids := []uint32{uint32(os.Getegid())}
	for _, g := range groups {
		gids = append(gids, uint32(g))
	}
	return named(uint32(os.Geteuid()), gids)
}

func TestFromFDOverASocketpair(t *testing.T) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fds[0])
	defer unix.Close(fds[1])
	got, err := FromFD(fds[0])
	if err != nil {
		t.Fatal(err)
	}
	if want := me(t); got.UID != want.UID || got.User != want.User || !slices.Equal(got.Groups, want.Groups) {
		t.Errorf("FromFD = %+v, want %+v", got, want)
	}
}

func TestFromConnOverAListeningSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	client, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	served, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer served.Close()
	got, err := FromConn(served.(*net.UnixConn))
	if err != nil {
		t.Fatal(err)
	}
	if got.UID != uint32(os.Geteuid()) {
		t.Errorf("uid %d, want %d", got.UID, os.Geteuid())
	}
}

func TestFromFDRefusesWhatIsNoSocket(t *testing.T) {
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if caller, err := FromFD(int(file.Fd())); err == nil {
		t.Errorf("no error, and the caller is %+v", caller)
	}
}

func TestNamed(t *testing.T) {
	root, err := user.LookupId("0")
	if err != nil {
		t.Skip("this machine has no uid 0 in its user database")
	}
	const nobody = 4123456789
	got := named(0, []uint32{nobody, 0, nobody})
	if got.User != root.Username || len(got.Groups) != 2 || got.Groups[1] != "gid "+strconv.Itoa(nobody) {
		t.Errorf("named = %+v", got)
	}
	if got := named(nobody, nil); got.User != "uid 4123456789" || len(got.Groups) != 0 {
		t.Errorf("named = %+v", got)
	}
}

func TestIn(t *testing.T) {
	caller := Caller{Groups: []string{"www", "rpctl"}}
	if !caller.In([]string{"admin", "rpctl"}) || caller.In([]string{"admin"}) || caller.In(nil) {
		t.Errorf("In does not compare groups: %+v", caller)
	}
}
