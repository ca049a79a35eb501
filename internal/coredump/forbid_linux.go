package coredump

import "golang.org/x/sys/unix"

// Forbid keeps this process out of core dumps, and its memory from other processes of the same user. What it
// starts by execve(2) is not concerned, see prctl(2). It is no more than a precaution, so that it may fail.
func Forbid() { _ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) }
