package systemd

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/re-connect/rpctl/agent/internal/units"
)

// cgroupRoots are where the second version of cgroups is, alone or beside the first (systemd's "hybrid").
var cgroupRoots = []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}

// applyProcessor reads from a unit's control group what the bus does not report: how long it waited for a processor,
// and how long it had one where systemd does not account for that. What cannot be read stays 0.
func applyProcessor(s *units.State, props properties, roots []string) {
	group, _ := text(props, "ControlGroup")
	if group == "" || !filepath.IsLocal(group[1:]) {
		return
	}
	for _, root := range roots {
		usage, ok := figure(root, group[1:]+"/cpu.stat", "usage_usec ")
		if !ok {
			continue
		}
		if s.Worked == 0 {
			s.Worked = usage
		}
		s.Waited, _ = figure(root, group[1:]+"/cpu.pressure", "total=")
		return
	}
}

// figure is the microseconds that follow a label in a file of the kernel's.
func figure(root, name, label string) (time.Duration, bool) {
	folder, err := os.OpenRoot(root)
	if err != nil {
		return 0, false
	}
	defer func() { _ = folder.Close() }()
	content, err := folder.ReadFile(name)
	if err != nil {
		return 0, false
	}
	_, rest, found := bytes.Cut(content, []byte(label))
	digits, _, _ := bytes.Cut(rest, []byte("\n"))
	usec, err := strconv.ParseInt(string(digits), 10, 64)
	if !found || err != nil || usec < 0 || usec > int64(time.Duration(1<<63-1)/time.Microsecond) {
		return 0, false
	}
	return time.Duration(usec) * time.Microsecond, true
}
