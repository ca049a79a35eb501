package systemd

import (
	"encoding/hex"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/re-connect/rpctl/agent/internal/units"
)

// properties is what GetAll answers and PropertiesChanged carries; the names are
// those of org.freedesktop.systemd1(5), interfaces Unit and Service.
type properties = map[string]dbus.Variant

// apply writes into s what props has and leaves the rest: a signal names only what changed.
func apply(s *units.State, props properties) {
	set(&s.Load, props, "LoadState")
	set(&s.Active, props, "ActiveState")
	set(&s.Sub, props, "SubState")
	set(&s.Result, props, "Result")
	set(&s.MainPID, props, "MainPID")
	set(&s.Restarts, props, "NRestarts")
	if id, ok := value[[]byte](props, "InvocationID"); ok {
		s.Invocation = hex.EncodeToString(id)
	}
	if bytes, ok := value[uint64](props, "MemoryCurrent"); ok {
		s.Memory = known(bytes)
	}
	if nsec, ok := value[uint64](props, "CPUUsageNSec"); ok {
		s.Worked = time.Duration(min(known(nsec), math.MaxInt64))
	}
	if usec, ok := value[uint64](props, "ExecMainStartTimestamp"); ok {
		s.Started = moment(usec)
	}
	if usec, ok := value[uint64](props, "StateChangeTimestamp"); ok {
		s.Changed = moment(usec)
	}
	if usec, ok := value[uint64](props, "TimeoutStopUSec"); ok {
		s.TimeoutStop = time.Duration(min(known(usec), math.MaxInt64/1000)) * time.Microsecond
	}
	applyExit(s, props)
	applyPaths(s, props)
}

func applyExit(s *units.State, props properties) {
	if code, ok := value[int32](props, "ExecMainCode"); ok {
		s.ExitKind = exitKinds[code]
	}
	if status, ok := value[int32](props, "ExecMainStatus"); ok {
		s.ExitCode = int(status)
	}
}

// exitKinds is the si_code values of waitid(2).
var exitKinds = map[int32]string{1: "exited", 2: "killed", 3: "dumped"}

// command is one entry of ExecStart, as far as it is needed.
type command struct {
	Path string
	Argv []string
}

func applyPaths(s *units.State, props properties) {
	start, hasStart := props["ExecStart"]
	folder, hasFolder := text(props, "WorkingDirectory")
	if !hasStart && !hasFolder {
		return
	}
	var paths []string
	// "!" says that the folder may be missing, "~" that it is the user's home.
	if folder = strings.TrimLeft(folder, "!-"); folder != "" {
		paths = append(paths, folder)
	}
	for _, c := range commands(start) {
		if !slices.Contains(c.Argv, c.Path) {
			paths = append(paths, c.Path)
		}
		paths = append(paths, c.Argv...)
	}
	s.Paths = paths
}

// commands reads a(sasbttttuii): path, argv, and figures that are of no use here.
func commands(v dbus.Variant) []command {
	rows, _ := v.Value().([][]any)
	var list []command
	for _, row := range rows {
		if len(row) < 2 {
			continue
		}
		path, _ := row[0].(string)
		argv, _ := row[1].([]string)
		list = append(list, command{path, argv})
	}
	return list
}

// jobOf reads the unit's Job, (uo): its number, 0 when there is none.
func jobOf(props properties) (uint32, bool) {
	pair, ok := value[[]any](props, "Job")
	if !ok || len(pair) == 0 {
		return 0, false
	}
	id, ok := pair[0].(uint32)
	return id, ok
}

func set[T any](into *T, props properties, name string) {
	if v, ok := value[T](props, name); ok {
		*into = v
	}
}

func text(props properties, name string) (string, bool) { return value[string](props, name) }

func value[T any](props properties, name string) (T, bool) {
	v, ok := props[name].Value().(T)
	return v, ok
}

// known turns systemd's "infinity" and "not set" into 0.
func known(n uint64) uint64 {
	if n == math.MaxUint64 {
		return 0
	}
	return n
}

func moment(usec uint64) time.Time {
	if usec == 0 || usec > math.MaxInt64 {
		return time.Time{}
	}
	return time.UnixMicro(int64(usec))
}
