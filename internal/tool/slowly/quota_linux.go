package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// quota gives this process, and all that it will start, one of so many parts of the machine's processor time, by a cgroup of
// its own. leave takes that back. It needs root and a cgroup controller for the processor, of either version.
func quota(times int) (leave func(), err error) {
	const period = 80_000 // microseconds; with 8 times, each processor runs 10 ms of it
	allowed := max(1000, period*runtime.NumCPU()/times)
	var limits map[string]string
	root := "/sys/fs/cgroup"
	if _, err := os.Stat(root + "/cgroup.controllers"); err == nil {
		limits = map[string]string{"cpu.max": fmt.Sprint(allowed, " ", period)}
	} else {
		root += "/cpu"
		limits = map[string]string{"cpu.cfs_period_us": strconv.Itoa(period), "cpu.cfs_quota_us": strconv.Itoa(allowed)}
	}
	group := filepath.Join(root, fmt.Sprintf("slowly-%d", os.Getpid()))
	if err := os.Mkdir(group, 0o755); err != nil {
		return nil, err
	}
	leave = func() { dissolve(root, group) }
	for name, value := range limits {
		if err := write(filepath.Join(group, name), value); err != nil {
			leave()
			return nil, err
		}
	}
	if err := write(filepath.Join(group, "cgroup.procs"), strconv.Itoa(os.Getpid())); err != nil {
		leave()
		return nil, err
	}
	return leave, nil
}

// dissolve lets the processes that are left run at full speed, this one among them.
func dissolve(root, group string) {
	for range 100 {
		left, _ := os.ReadFile(filepath.Join(group, "cgroup.procs"))
		for _, pid := range bytes.Fields(left) {
			_ = write(filepath.Join(root, "cgroup.procs"), string(pid))
		}
		if os.Remove(group) == nil {
			return
		}
	}
	fmt.Fprintln(os.Stderr, "slowly: cannot remove", group)
}

// write writes to a file that is there: a cgroup without the controller has none, and takes no new ones.
func write(path, text string) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteString(strings.TrimSpace(text))
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	return err
}
