package cli

import "golang.org/x/sys/unix"

// undumped keeps this process out of core dumps, and its memory from other processes of the same user: plans with
// people's centres pass through it, and the key that signs receipts. The units say LimitCORE=0, which a handler of
// cores behind a pipe need not heed (core(5)). What it becomes by execve(2), the console, is not concerned. It is no
// more than a precaution, so that it may fail.
func undumped() { _ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) }
