//go:build !linux

package release

import (
	"io/fs"
	"time"
)

// changed is the mtime where only the demo runs.
func changed(info fs.FileInfo) time.Time { return info.ModTime() }
