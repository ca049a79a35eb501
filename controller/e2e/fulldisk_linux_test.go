package e2e_test

import (
	"os"
	"path/filepath"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
)

// fullDisk: full-disk HOST gives the host's state a disk of its own that takes not one byte more. It needs root.
func fullDisk(ts *testscript.TestScript, _ bool, args []string) {
	state := labOf(ts).Host(args[0]).Agent.State
	ts.Check(syscall.Mount("rpctl-e2e", state, "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, "mode=0700,size=64k"))
	ts.Defer(func() { _ = syscall.Unmount(state, syscall.MNT_DETACH) })
	filler, err := os.Create(filepath.Join(state, "filler"))
	ts.Check(err)
	defer filler.Close()
	for err == nil {
		_, err = filler.Write(make([]byte, 4096))
	}
}
