package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Each machine gets a control group of its own: without one, nspawn would put the
// machines' systemds into one and the same tree. Where systemd runs the machine,
// `systemd-run --scope` makes it; elsewhere (containers, minimal VMs) we do.

// hierarchies are the cgroup trees that a systemd inside needs: the unified one,
// or the two of the hybrid layout.
func hierarchies() []string {
	const top = "/sys/fs/cgroup"
	if _, err := os.Stat(filepath.Join(top, "cgroup.procs")); err == nil {
		return []string{top}
	}
	var found []string
	for _, name := range []string{"unified", "systemd"} {
		dir := filepath.Join(top, name)
		if _, err := os.Stat(filepath.Join(dir, "cgroup.procs")); err == nil {
			found = append(found, dir)
		}
	}
	return found
}

// cgroupName is a name that only this root folder has: rpctl-lab.var.tmp.rpctl-lab.run.lab.hosts.prod.
func cgroupName(root string) string {
	return "rpctl-lab" + strings.ReplaceAll(filepath.Clean(root), "/", ".")
}

// enterCgroups makes the machine's groups and returns the start of a command that
// moves itself there and becomes the command that follows.
func enterCgroups(root string) ([]string, error) {
	if _, err := os.Stat("/run/systemd/system"); err == nil {
		return []string{"systemd-run", "--scope", "--quiet", "--collect", "--property=Delegate=yes",
			"--unit=" + cgroupName(root) + ".scope", "--"}, nil
	}
	// The shell's text is fixed: names and command come as arguments.
	enter := []string{"/bin/sh", "-c",
		`while [ "$1" != -- ]; do echo $$ >"$1" || exit 1; shift; done; shift; exec "$@"`, "sh"}
	for _, h := range hierarchies() {
		dir := filepath.Join(h, cgroupName(root))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("cannot make a control group: %w", err)
		}
		enter = append(enter, filepath.Join(dir, "cgroup.procs"))
	}
	return append(enter, "--"), nil
}

// leaveCgroups removes the machine's empty groups.
func leaveCgroups(root string) error {
	var errs []error
	for _, h := range hierarchies() {
		var dirs []string
		top := filepath.Join(h, cgroupName(root))
		err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				dirs = append(dirs, path)
			}
			return nil // groups that the kernel removes meanwhile are no failure
		})
		errs = append(errs, err)
		for _, dir := range slices.Backward(dirs) {
			if err := os.Remove(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
				errs = append(errs, fmt.Errorf("cannot remove a control group: %w", err))
			}
		}
	}
	return errors.Join(errs...)
}
