//go:build !linux

package coredump

// Forbid has nothing to call here.
func Forbid() {}
