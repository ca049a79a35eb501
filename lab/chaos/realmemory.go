package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// starve lets the kernel kill a process for want of memory: it gets a control group of its own with
// less than PHP needs. The host's systemd has no memory controller where the machine has cgroups of
// both kinds, so MemoryMax= would do nothing there.
func starve(ctx context.Context, pid int) error {
	group, limit := filepath.Join("/sys/fs/cgroup/memory", fmt.Sprintf("rpctl-chaos-%d", pid)), "memory.limit_in_bytes"
	if _, err := os.Stat(filepath.Dir(group)); err != nil {
		group, limit = filepath.Join("/sys/fs/cgroup", fmt.Sprintf("rpctl-chaos-%d", pid)), "memory.max"
	}
	if err := os.Mkdir(group, 0o755); err != nil {
		return err
	}
	defer removeGroup(ctx, group)
	for _, one := range [][2]string{{limit, "65536"}, {"cgroup.procs", strconv.Itoa(pid)}} {
		if err := os.WriteFile(filepath.Join(group, one[0]), []byte(one[1]), 0o644); err != nil {
			return err
		}
	}
	for range 500 { // it dies with the next page that it needs
		if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
			return nil
		}
		pause(ctx, 10*time.Millisecond)
	}
	return errors.New("the kernel has not killed it")
}

func removeGroup(ctx context.Context, group string) {
	for range 100 {
		if os.Remove(group) == nil {
			return
		}
		pause(ctx, 10*time.Millisecond)
	}
}
