// Command slowly runs a program and all its descendants at a fraction of the machine's speed, as
// `go test -exec` wants it: `make test-slow`. SLOWLY is how many times slower, 8 unless set.
//
// Root gives them a quota of the processor (quota_linux.go). Others stop the processes most of the time
// (stop_linux.go): it is as slow, but a program that handles SIGCONT gets it again and again.
// Timers and the network go on meanwhile, as they do on a machine that is slow or crowded.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

func main() {
	status, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "slowly:", err)
		os.Exit(1)
	}
	os.Exit(status)
}

func run(argv []string) (int, error) {
	times, err := factor(os.Getenv("SLOWLY"))
	if err != nil {
		return 0, err
	}
	if len(argv) == 0 {
		return 0, errors.New("no program: slowly PROGRAM ARGUMENT…")
	}
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return 0, err
	}
	leave, noQuota := quota(times)
	if noQuota == nil {
		defer leave()
	}
	// A process whose parent ends stays below this one (PR_SET_CHILD_SUBREAPER in prctl(2)).
	const setChildSubreaper = 36
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, setChildSubreaper, 1, 0); errno != 0 {
		return 0, fmt.Errorf("cannot adopt the descendants: %w", errno)
	}
	process, err := os.StartProcess(path, argv, &os.ProcAttr{Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}})
	if err != nil {
		return 0, err
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGHUP)
	ended := make(chan syscall.WaitStatus)
	go reap(process.Pid, ended)
	for {
		began := time.Now()
		select {
		case status := <-ended:
			return exitStatus(status), nil
		case s := <-signals:
			_ = process.Signal(s)
		case <-time.After(slice):
		}
		if noQuota != nil {
			pause(time.Duration(times-1) * time.Since(began))
		}
	}
}

func factor(text string) (int, error) {
	if text == "" {
		return 8, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 1000 {
		return 0, fmt.Errorf("SLOWLY=%q: want 1 to 1000", text)
	}
	return n, nil
}

// reap waits for the program and for the descendants that lost their parents.
func reap(program int, ended chan<- syscall.WaitStatus) {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return
		case pid == program:
			ended <- status
			return
		}
	}
}

func exitStatus(status syscall.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}
