//go:build !linux

package cli

import "golang.org/x/sys/unix"

// How a terminal's settings are asked for and set; the last also drops what was typed (tty(4)).
const getTermios, setTermios, setTermiosFlush = unix.TIOCGETA, unix.TIOCSETA, unix.TIOCSETAF
