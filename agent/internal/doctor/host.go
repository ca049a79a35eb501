package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"github.com/re-connect/rpctl/internal/version"
	"github.com/re-connect/rpctl/proto"
)

// Space is what is left of a disk.
type Space struct {
	Bytes, Inodes uint64
	// CountsInodes is false where the file system makes them as it needs them.
	CountsInodes bool
}

// What the agent needs left: an audit line is 1 KiB, but a deploy beside it takes a release's worth.
const (
	leastBytes  = 64 << 20
	leastInodes = 1000
)

func (h Host) withDefaults() Host {
	if h.Now == nil {
		h.Now = time.Now
	}
	if h.Space == nil {
		h.Space = space
	}
	return h
}

func space(folder string) (Space, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(folder, &stat); err != nil {
		return Space{}, &os.PathError{Op: "statfs", Path: folder, Err: err}
	}
	return Space{Bytes: stat.Bavail * uint64(stat.Bsize), Inodes: stat.Ffree, CountsInodes: stat.Files > 0}, nil
}

// disk looks at what is left and whether the state folder can be written: a file system that
// met an error is read-only.
func (e *examination) disk(context.Context) (string, error) {
	left, err := e.Space(e.State)
	if err != nil {
		return "", err
	}
	const short = "%d MiB and %d inodes are left for %s: the audit could not be written"
	switch {
	case left.Bytes < leastBytes:
		return "", wrong(proto.Advice{Code: proto.AdviceDisk, Path: e.State}, short, left.Bytes>>20, left.Inodes, e.State)
	case left.CountsInodes && left.Inodes < leastInodes:
		return "", wrong(proto.Advice{Code: proto.AdviceInodes, Path: e.State}, short, left.Bytes>>20, left.Inodes, e.State)
	}
	if err := unix.Access(e.State, unix.W_OK); err != nil {
		return "", wrong(proto.Advice{Code: proto.AdviceMount, Path: e.State}, "%s cannot be written: %v", e.State, err)
	}
	return fmt.Sprintf("%d MiB left for %s", left.Bytes>>20, e.State), nil
}

// clock must be near the truth: proof of new code compares times of this host, receipts those of two.
func (e *examination) clock(ctx context.Context) (string, error) {
	now := e.Now()
	if built := buildTime(); now.Before(built) {
		return "", wrong(proto.Advice{Code: proto.AdviceSetClock}, "it is %s here, before this agent was built", now.UTC().Format(time.RFC3339))
	}
	if e.Installed == nil {
		return now.UTC().Format(time.RFC3339) + "; whether it is synchronized does not apply: this host is embedded", nil
	}
	manager, err := e.connected(ctx)
	if err != nil {
		return "", err
	}
	synchronized, err := manager.ClockSynchronized(ctx)
	if err != nil {
		return "", wrong(proto.Advice{Code: proto.AdviceTimedated}, "whether the clock is synchronized cannot be seen: %v", err)
	}
	if !synchronized {
		if kind, err := manager.Virtualization(ctx); err == nil && containers[kind] {
			return "", &skip{fmt.Sprintf("is the machine's below this container (%s): it is %s, and no time server says so here", kind, now.UTC().Format(time.RFC3339))}
		}
		return "", wrong(proto.Advice{Code: proto.AdviceSetClock}, "it is %s here, and no time server says so; where that cannot be switched on, install chrony", now.UTC().Format(time.RFC3339))
	}
	return now.UTC().Format(time.RFC3339) + ", synchronized", nil
}

// containers have no clock of their own (systemd-detect-virt(1), "Container").
var containers = map[string]bool{
	"openvz": true, "lxc": true, "lxc-libvirt": true, "systemd-nspawn": true, "docker": true, "podman": true,
	"rkt": true, "wsl": true, "proot": true, "pouch": true, "container-other": true,
}

// buildTime is that of the commit that this binary was built from, or zero where it does not tell.
func buildTime() time.Time {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return time.Time{}
	}
	return version.CommitTime(info)
}

// anyUnit always has lines in a journal that may be read.
const anyUnit = "systemd-journald.service"

var errOneIsEnough = errors.New("one line is enough")

func (e *examination) journal(ctx context.Context) (string, error) {
	if _, err := e.installed(); err != nil {
		return "", err
	}
	seen := false
	err := e.Journal.Follow(ctx, []string{anyUnit}, 1, false, func(proto.LogLine) error {
		seen = true
		return errOneIsEnough
	})
	if err != nil && !errors.Is(err, errOneIsEnough) {
		return "", wrong(proto.Advice{Code: proto.AdviceAgentUnit}, "%v: rp-agent@.service must have SupplementaryGroups=systemd-journal", err)
	}
	if !seen {
		return "", wrong(proto.Advice{Code: proto.AdviceWorkerLog, Unit: anyUnit}, "not one line of %s can be read: group systemd-journal is missing, or the journal is empty", anyUnit)
	}
	return "can be read" + e.persistence(), nil
}

// persistence says whether lines outlive a reboot; it is the host's choice, so it is no fault.
func (e *examination) persistence() string {
	if _, err := os.Stat(e.Installed.path("/var/log/journal")); err != nil {
		return "; it is lost at a reboot (Storage=auto and no /var/log/journal)"
	}
	return ", and outlives a reboot"
}

func (e *examination) release(context.Context) (string, error) {
	if _, err := e.configured(); err != nil {
		return "", err
	}
	release, err := e.Releases.Current()
	var refusal *proto.Error
	if errors.As(err, &refusal) {
		return "", wrong(refusal.Advice, "%s", refusal.Message)
	}
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("current is %s since %s", release.Name, release.Switched.UTC().Format(time.RFC3339)), nil
}

// console looks for the release's bin/console below the application's folder only. The agent
// does not run it: that is the application's user's to do.
func (e *examination) console(context.Context) (string, error) {
	cfg, err := e.configured()
	if err != nil {
		return "", err
	}
	release, err := e.Releases.Current()
	if err != nil {
		return "", &skip{"cannot be seen before the release is good"}
	}
	folder, err := os.OpenRoot(cfg.Application.Path)
	if err != nil {
		return "", err
	}
	defer folder.Close()
	name := path.Join("releases", release.Name, "bin", "console")
	info, err := folder.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", wrong(proto.Advice{Code: proto.AdviceList, Path: path.Join(cfg.Application.Path, "releases", release.Name)}, "release %s has no bin/console", release.Name)
	case err != nil:
		return "", err
	case !info.Mode().IsRegular() || info.Mode()&0o100 == 0:
		return "", wrong(proto.Advice{Code: proto.AdviceExecutable}, "bin/console of release %s cannot be executed (%v): commit that it can, and deploy", release.Name, info.Mode())
	}
	return "bin/console of release " + release.Name + " is there and executable", nil
}
