package release

import (
	"io/fs"
	"syscall"
	"time"
)

// changed is the ctime, which a rename moves and nobody can set back.
func changed(info fs.FileInfo) time.Time {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return info.ModTime()
	}
	return time.Unix(int64(stat.Ctim.Sec), int64(stat.Ctim.Nsec)) //nolint:unconvert // 32 bits on some machines
}
