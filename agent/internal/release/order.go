package release

import (
	"fmt"
	"io/fs"
	"time"

	"github.com/re-connect/rpctl/proto"
)

// tick is how far the time that Linux writes into a link may lie behind the clock:
// file systems take the time of the last timer tick, 10 ms at the slowest (CONFIG_HZ=100).
const tick = 10 * time.Millisecond

// switched is when the link came to lead where it leads: the later of its mtime and ctime.
// mtime alone is too early: Deployer makes the link as `release` when a deploy begins and
// renames it to `current` when it ends (deploy:symlink, `mv -T`), and a rename keeps mtime.
// A worker that started in between runs the release before.
func switched(info fs.FileInfo) time.Time {
	if c := changed(info); c.After(info.ModTime()) {
		return c
	}
	return info.ModTime()
}

// CertainFrom is the moment from which a process that starts is certainly later
// than the switch, whatever the resolution of the link's time.
func CertainFrom(r proto.Release) time.Time {
	if r.Switched.Nanosecond() == 0 { // a file system that keeps whole seconds
		return r.Switched.Add(time.Second)
	}
	return r.Switched.Add(tick)
}

// Order says which code a process runs that was started through `current`:
// one of proto's CodeCurrent, CodeOld, CodeUnknown, and why it is not the first.
func Order(r proto.Release, started time.Time) (code, why string) {
	switch {
	case started.IsZero():
		return proto.CodeUnknown, "it is not known when it was started"
	case r.Switched.IsZero():
		return proto.CodeUnknown, "it is not known when the release was switched"
	case started.Before(r.Switched):
		return proto.CodeOld, fmt.Sprintf("started at %s, before release %s was switched at %s",
			clock(started), r.Name, clock(r.Switched))
	case started.Before(CertainFrom(r)):
		return proto.CodeUnknown, fmt.Sprintf("started in the same instant in which release %s was switched (%s)",
			r.Name, clock(r.Switched))
	}
	return proto.CodeCurrent, ""
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000Z") }
