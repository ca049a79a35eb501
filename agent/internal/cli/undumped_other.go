//go:build !linux

package cli

// undumped has nothing to call here.
func undumped() {}
