package release

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Deployer makes the link when a deploy begins and renames it when it ends.
func TestSwitchedIsTheRenameNotTheMaking(t *testing.T) {
	path := app(t)
	must(t, os.Symlink("releases/42", path+"/release"))
	long := time.Now().Add(-time.Hour)
	must(t, lutimes(path+"/release", long))
	must(t, os.Rename(path+"/release", path+"/current"))
	got, err := Layout{path}.Current()
	must(t, err)
	if age := time.Since(got.Switched); age > time.Minute {
		t.Errorf("switched %s ago: that is when the link was made, not when it was renamed", age)
	}
}

func lutimes(path string, at time.Time) error {
	tv := unix.NsecToTimeval(at.UnixNano())
	return unix.Lutimes(path, []unix.Timeval{tv, tv})
}
