// Package coredump keeps what a process has in its memory from being written to a disk when it crashes.
package coredump
