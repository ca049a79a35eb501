package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// machine is a running systemd-nspawn and its first process, as this machine numbers them.
type machine struct {
	root   string
	nspawn int
	leader int // 0 while there is none yet
}

// machines finds every systemd-nspawn by what the kernel says of the processes:
// no file of ours can be stale, and no number can belong to somebody else by now.
func machines() ([]machine, error) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	var found []machine
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		if root, ok := nspawnRoot(dir); ok && sameTree(dir) {
			found = append(found, machine{root, pid, firstChild(dir, pid)})
		}
	}
	return found, nil
}

// sameTree says that a process names files as we do: a lab in a container of this
// machine may have the same paths. Without the right to look, it is taken for true.
func sameTree(proc string) bool {
	theirs, err := os.Stat(filepath.Join(proc, "root"))
	if err != nil {
		return errors.Is(err, os.ErrPermission)
	}
	ours, err := os.Stat("/")
	return err == nil && os.SameFile(ours, theirs)
}

// nspawnRoot is the --directory of a process that is the outer systemd-nspawn of a machine.
func nspawnRoot(proc string) (string, bool) {
	cmdline, err := os.ReadFile(filepath.Join(proc, "cmdline"))
	if err != nil {
		return "", false
	}
	args := strings.Split(string(cmdline), "\x00")
	if filepath.Base(args[0]) != "systemd-nspawn" {
		return "", false
	}
	for _, a := range args {
		if root, ok := strings.CutPrefix(a, "--directory="); ok {
			return root, true
		}
	}
	return "", false
}

// firstChild is the machine's own init: the child of nspawn that has become "systemd".
func firstChild(proc string, pid int) int {
	data, err := os.ReadFile(filepath.Join(proc, "task", strconv.Itoa(pid), "children"))
	if err != nil {
		return 0
	}
	for field := range strings.FieldsSeq(string(data)) {
		comm, err := os.ReadFile(filepath.Join("/proc", field, "comm"))
		if err == nil && string(bytes.TrimSpace(comm)) == "systemd" {
			child, err := strconv.Atoi(field)
			if err == nil {
				return child
			}
		}
	}
	return 0
}

var errNotRunning = errors.New("the host is not running")

// findMachine is the machine whose root file system is root.
func findMachine(root string) (machine, error) {
	all, err := machines()
	if err != nil {
		return machine{}, err
	}
	for _, m := range all {
		if m.root == root {
			return m, nil
		}
	}
	return machine{}, errNotRunning
}

// stopBelow pulls the plug of every machine whose root is below dir: their file
// systems are thrown away, so there is nothing to save.
func stopBelow(ctx context.Context, dir string) error {
	all, err := machines()
	if err != nil {
		return err
	}
	var ours []machine
	for _, m := range all {
		if strings.HasPrefix(m.root, filepath.Clean(dir)+"/") {
			ours = append(ours, m)
		}
	}
	return each(ours, func(m machine) error { return m.kill(ctx) })
}

// kill ends the machine's init, and with it, by the kernel, all of the machine;
// nspawn then tidies up after itself. The machine is gone when kill returns.
func (m machine) kill(ctx context.Context) error {
	victim := m.leader
	if victim == 0 {
		victim = m.nspawn
	}
	if err := syscall.Kill(victim, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("cannot stop machine %s: %w", m.root, err)
	}
	err := poll(ctx, time.Minute, func() error {
		if now, err := findMachine(m.root); err == nil && now.nspawn == m.nspawn {
			return fmt.Errorf("machine %s does not end", m.root)
		}
		return nil
	})
	// Processes that end at this moment keep their group busy a little longer.
	return errors.Join(err, poll(ctx, time.Minute, func() error { return leaveCgroups(m.root) }))
}

// pollEvery is how often the lab looks at what has no event to wait for.
const pollEvery = 30 * time.Millisecond

// poll calls f until it returns nil; when the time is over it returns f's last error.
func poll(ctx context.Context, limit time.Duration, f func() error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("waited %s", limit))
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w (%w)", err, context.Cause(ctx))
		case <-tick.C:
		}
	}
}
