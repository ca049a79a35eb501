package lab

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Process is one process of a host.
type Process struct {
	PID  int    // as this machine numbers it
	Unit string // of the host's systemd: rp-agent@3-….service; empty when it is in none
	Args []string
}

// Processes are the host's, as the kernel tells of them at this moment.
func (h *Host) Processes() ([]Process, error) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	var found []Process
	for _, dir := range dirs {
		groups, err := os.ReadFile(filepath.Join(dir, "cgroup"))
		if err != nil || !strings.Contains(string(groups), cgroupName(h.root)+"/") {
			continue // has ended, or is another's
		}
		text, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		if err != nil {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			return nil, err
		}
		args := strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
		found = append(found, Process{PID: pid, Unit: unitOf(string(groups)), Args: args})
	}
	return found, nil
}

// unitOf is the last name of a control group that is a service or a scope: what systemd puts a process into.
func unitOf(groups string) string {
	for line := range strings.Lines(groups) {
		name := path.Base(strings.TrimSpace(line))
		if strings.HasSuffix(name, ".service") || strings.HasSuffix(name, ".scope") {
			return name
		}
	}
	return ""
}

// Root is the host's file system, seen from outside.
func (h *Host) Root() string { return h.root }

// Shutdown ends a host in order, as a reboot does: Boot is its other half.
func (h *Host) Shutdown(ctx context.Context) error {
	before, err := findMachine(h.root)
	if err != nil {
		return err
	}
	if _, err := h.Run(ctx, "systemctl", "poweroff"); err != nil {
		return err
	}
	err = poll(ctx, 2*time.Minute, func() error {
		if now, err := findMachine(h.root); err == nil && now.nspawn == before.nspawn {
			return fmt.Errorf("%s does not shut down", h.Role)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return poll(ctx, time.Minute, func() error { return leaveCgroups(h.root) })
}
