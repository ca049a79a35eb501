// Package powercut shows what is left of a folder when the process that writes to it
// is killed, or its machine loses power, at any of its system calls; and what the process does
// when the disk refuses any of them.
//
// A scene is played in a process of its own, a copy of the test binary, under
// ptrace(2). Before each call that writes below the scene's folder all is stopped: that is
// a Moment. For each moment the package knows what a disk may hold then:
//
//   - everything that was written, which is also what a kill leaves: the kernel goes on;
//   - only what was synced: the content of a file from fsync(2) on, a name in a folder
//     from fsync(2) of that folder on, nothing else;
//   - all names, but only synced content: what a rename before its fsync leaves;
//   - the write that was not synced yet, cut off after any number of bytes, or zeros.
//
// Kill plays the scene again and really kills it there, so that locks and descriptors die too.
//
// Fail plays it again on a disk with a Trouble: a call is not made, and returns what the kernel returns of such a disk;
// that call alone, or all later ones too that the trouble hits. The scene goes on and ends by itself. What it
// promises until it returns an error is held to the disk as Play does it. Strikes are all ways to do so. It works on amd64.
//
// The model is stricter than any disk: what it does not keep may well be kept. What it
// takes for granted is that fsync tells the truth and that a rename is one step. Rights,
// owners and times are as they were last seen. It is for tests, and in no shipped binary.
package powercut
