// Package version says which build of the project a binary is. Both binaries show it.
package version

import (
	"runtime/debug"
	"time"
)

// Version is set by the build: -ldflags "-X github.com/re-connect/rpctl/internal/version.Version=1.2.3".
var Version string

// String is the version of this binary: the one that the build was told, else
// the module's, else the commit that it was built from, else "devel".
func String() string {
	if Version != "" {
		return Version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	return fromBuild(info)
}

func fromBuild(info *debug.BuildInfo) string {
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	commit, modified := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = s.Value[:min(len(s.Value), 12)]
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = "+modified"
		}
	}
	if commit == "" {
		return "devel"
	}
	return "devel-" + commit + modified
}

// CommitTime returns when the commit was made that a program was built from, and the zero time where the program does
// not say.
func CommitTime(info *debug.BuildInfo) time.Time {
	for _, setting := range info.Settings {
		if setting.Key == "vcs.time" {
			if at, err := time.Parse(time.RFC3339, setting.Value); err == nil {
				return at
			}
		}
	}
	return time.Time{}
}
