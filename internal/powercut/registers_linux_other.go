//go:build linux && !amd64

package powercut

import (
	"errors"

	"golang.org/x/sys/unix"
)

// CanFail says that Fail works here: it changes registers, which are each architecture's own.
const CanFail = false

func skipCall(int) error             { return errors.ErrUnsupported }
func setErrno(int, unix.Errno) error { return errors.ErrUnsupported }
func setSize(int, uint64) error      { return errors.ErrUnsupported }
