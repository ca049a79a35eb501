package powercut

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// CanFail says that Fail works here: it changes registers, which are each architecture's own.
const CanFail = true

// skipCall lets the kernel make no call where thread tid is entering one.
func skipCall(tid int) error {
	return change(tid, func(r *unix.PtraceRegs) { r.Orig_rax = ^uint64(0) })
}

// setErrno lets the call that thread tid is leaving return an error.
func setErrno(tid int, errno unix.Errno) error {
	return change(tid, func(r *unix.PtraceRegs) { r.Rax = -uint64(errno) })
}

// setSize is the third argument of the call that thread tid is entering.
func setSize(tid int, size uint64) error {
	return change(tid, func(r *unix.PtraceRegs) { r.Rdx = size })
}

func change(tid int, do func(*unix.PtraceRegs)) error {
	var r unix.PtraceRegs
	err := unix.PtraceGetRegs(tid, &r)
	if err == nil {
		do(&r)
		err = unix.PtraceSetRegs(tid, &r)
	}
	if err != nil {
		return fmt.Errorf("cannot change a system call: %w", err)
	}
	return nil
}
