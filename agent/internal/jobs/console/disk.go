package console

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/re-connect/rpctl/proto"
)

// What the output of commands may take of the disk, in bytes.
const (
	// reserve stays free whatever simulations print, so that an apply, its records and the audit can be written.
	reserve = 512 << 20
	// MaxPrinted is what a dry run may print, both streams together. Its runner stops one that prints more. LimitFSIZE=
	// cannot say so: it counts from the beginning of each file, and the application appends to logs that are longer.
	MaxPrinted = 512 << 20
	// leastFree is what an apply wants to find: its records, its receipts and an ordinary output fit in.
	leastFree = 64 << 20

	// keepOutput is what PruneOutput leaves; past maxOutput no simulation runs.
	keepOutput = 2 << 30
	maxOutput  = 3 << 30
	// maxOfJob is what the dry runs of one simulation may print together.
	maxOfJob = 1 << 30
	// keepRead is longer than a runner needs to read the output of a run that has ended.
	keepRead = time.Hour
)

// Disk says how many bytes are free where a folder is. Nil asks nothing: hosts of tests have it.
type Disk func(folder string) (free uint64, err error)

// ThisDisk asks the kernel.
func ThisDisk(folder string) (uint64, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(folder, &stat); err != nil {
		return 0, &os.PathError{Op: "statfs", Path: folder, Err: err}
	}
	return stat.Bavail * uint64(stat.Bsize), nil
}

// RoomForDryRun refuses a dry run of a simulation that could fill the disk. running is how many simulations run, this one
// included; printed is what its earlier dry runs have printed.
func (f Folders) RoomForDryRun(disk Disk, running int, printed int64) error {
	if printed > maxOfJob {
		return limit(fmt.Sprintf("its dry runs have printed %d MiB, and may print %d MiB in all", printed>>20, maxOfJob>>20), proto.Advice{Code: proto.AdvicePlanCheck})
	}
	if disk == nil {
		return nil
	}
	files, err := f.outputs()
	if err != nil {
		return &proto.Error{Code: proto.CodeStorage, Message: proto.Textf("cannot see how much output there is: %v", err), Advice: proto.Advice{Code: proto.AdviceHostDoctor}}
	}
	if taken := sum(files); taken > maxOutput {
		return limit(fmt.Sprintf("the output of earlier dry runs takes %d MiB of at most %d MiB; an administrator of the host may remove old files of it", taken>>20, maxOutput>>20),
			proto.Advice{Code: proto.AdviceUsage, Path: f.Output})
	}
	return f.want(disk, reserve+MaxPrinted*uint64(running))
}

// Printed is how many bytes of output of a run there are at this moment.
func (f Folders) Printed(id ID) (bytes int64) {
	for _, path := range []string{f.Stdout(id), f.Stderr(id)} {
		if info, err := os.Stat(path); err == nil { // otherwise it has not begun
			bytes += info.Size()
		}
	}
	return bytes
}

// RoomForApply refuses an apply whose records would not find room.
func (f Folders) RoomForApply(disk Disk) error {
	if disk == nil {
		return nil
	}
	return f.want(disk, leastFree)
}

func (f Folders) want(disk Disk, bytes uint64) error {
	free, err := disk(f.Output)
	switch {
	case err != nil:
		return &proto.Error{Code: proto.CodeStorage, Message: proto.Textf("cannot see how much of the disk is free: %v", err), Advice: proto.Advice{Code: proto.AdviceHostDoctor}}
	case free < bytes:
		return limit(fmt.Sprintf("%d MiB of the disk are free, and it wants %d MiB: what is printed must not fill the disk", free>>20, bytes>>20), proto.Advice{Code: proto.AdviceDisk, Path: f.Output})
	}
	return nil
}

func limit(why string, next proto.Advice) error {
	return &proto.Error{Code: proto.CodeLimit, Message: proto.HostText("cannot run the plan's commands: " + why), Advice: next}
}

// output is a file of the folder of output.
type output struct {
	name string
	id   ID
	size int64
	last time.Time
}

// outputs are the files of the folder of output, the oldest first.
func (f Folders) outputs() ([]output, error) {
	entries, err := os.ReadDir(f.Output)
	if err != nil {
		return nil, err
	}
	var all []output
	for _, entry := range entries {
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) { // pruned meanwhile
			continue
		}
		if err != nil {
			return nil, err
		}
		id := strings.TrimSuffix(strings.TrimSuffix(entry.Name(), ".out"), ".err")
		if info.Mode().IsRegular() {
			all = append(all, output{entry.Name(), ID(id), info.Size(), info.ModTime()})
		}
	}
	slices.SortFunc(all, func(a, b output) int { return a.last.Compare(b.last) })
	return all, nil
}

// sum is what the output of dry runs takes. That of real runs is evidence and is not pruned for its size: counted, it
// would refuse every simulation until it is old enough.
func sum(files []output) (bytes int64) {
	for _, file := range files {
		if file.id.Dry() {
			bytes += file.size
		}
	}
	return bytes
}

// PruneOutput removes the output of dry runs, the oldest first, until that of all dry runs takes no more than
// keepOutput. What a real run printed is evidence and goes by its age alone (systemd.Folders). Root calls it when a command has ended: root
// alone may write the folder, so no link in it leads elsewhere.
func (f Folders) PruneOutput(now time.Time) error {
	files, err := f.outputs()
	taken := sum(files)
	for _, file := range files {
		if err != nil || taken <= keepOutput {
			break
		}
		if _, ended, bad := f.ReadEnd(file.id); !file.id.Dry() || !file.id.Valid() || !ended || bad != nil || now.Sub(file.last) < keepRead {
			continue
		}
		if err = os.Remove(filepath.Join(f.Output, file.name)); err == nil {
			taken -= file.size
		}
	}
	return err
}
