package console

import "golang.org/x/sys/unix"

// passThrough opens a folder without the right to list it (open(2), O_PATH).
const passThrough = unix.O_PATH
