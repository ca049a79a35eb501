package cli

import "golang.org/x/sys/unix"

// undumped keeps this process out of core dumps, and its memory from other processes of the same user:
// keys and passphrases are in it. What it starts is not concerned, see prctl(2). It is no more than a
// precaution, so that it may fail.
func undumped() { _ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) }
