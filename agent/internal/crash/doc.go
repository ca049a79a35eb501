// Package crash holds no code but a test: every change that the agent makes to its state folder
// is stopped at each system call that writes, by a kill and by a power cut, or refused there by the
// disk, and the folder is then read, used and finished by a fresh agent. transitions_linux_test.go is the table of them.
package crash
