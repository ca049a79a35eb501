package cli

import "golang.org/x/sys/unix"

// How a terminal's settings are asked for and set; the last also drops what was typed (ioctl_tty(2)).
const getTermios, setTermios, setTermiosFlush = unix.TCGETS, unix.TCSETS, unix.TCSETSF
