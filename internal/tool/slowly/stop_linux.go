package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// slice is how long the processes run between two pauses.
const slice = 10 * time.Millisecond

// pause stops all descendants of this process for a while.
func pause(d time.Duration) {
	stopped := map[int]bool{}
	stop(os.Getpid(), stopped)
	time.Sleep(d)
	for pid := range stopped {
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
}

// stop stops the descendants of a process, parents first, and adds them to stopped; those that are not free are left alone.
func stop(parent int, stopped map[int]bool) {
	for again := true; again; { // a child may be born while its parent is looked at
		again = false
		for _, pid := range children(parent) {
			if stopped[pid] || !free(pid) || syscall.Kill(pid, syscall.SIGSTOP) != nil {
				continue
			}
			stopped[pid], again = true, true
			stop(pid, stopped)
		}
	}
}

// children are the processes that any thread of a process started.
func children(pid int) (found []int) {
	threads, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	for _, thread := range threads {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, thread.Name()))
		for _, word := range strings.Fields(string(text)) {
			if child, err := strconv.Atoi(word); err == nil {
				found = append(found, child)
			}
		}
	}
	return found
}

// filters is how many seccomp filters this process has.
var filters = field("self", "Seccomp_filters")

// free reports whether a process can be stopped and continued unseen. It cannot where a test has stopped it already;
// where it is traced, since a signal is its tracer's; and where a seccomp filter of its own (sshd's, before the
// login) may forbid the restart_syscall(2) that follows. The tracer and sshd's monitor are stopped themselves.
func free(pid int) bool {
	of := strconv.Itoa(pid)
	state := field(of, "State")
	return state != "" && !strings.ContainsAny(state[:1], "TtZX") && field(of, "TracerPid") == "0" && field(of, "Seccomp_filters") == filters
}

// field is one value of /proc/PID/status, empty where there is none.
func field(pid, name string) string {
	status, _ := os.ReadFile("/proc/" + pid + "/status")
	_, rest, _ := strings.Cut(string(status), "\n"+name+":\t")
	value, _, _ := strings.Cut(rest, "\n")
	return value
}
