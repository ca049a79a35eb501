package release

import (
	"fmt"
	"path/filepath"
	"strings"
)

// Through says whether a path of a unit goes through the link `current`: the link
// itself or what is below it, read as text (nothing is looked up on disk).
func (l Layout) Through(path string) bool { return below(path, l.current()) }

// Starts says whether what a unit starts (units.State.Paths) comes through `current`:
// nil when it does, otherwise why one cannot know which release it runs.
func (l Layout) Starts(paths []string) error {
	through := false
	for _, path := range paths {
		if below(path, filepath.Join(l.Path, folder)) {
			return fmt.Errorf("the unit names one release, %s, instead of going through %s", path, l.current())
		}
		through = through || l.Through(path)
	}
	if !through {
		return fmt.Errorf("neither WorkingDirectory nor ExecStart of the unit goes through %s", l.current())
	}
	return nil
}

func below(path, base string) bool {
	if !filepath.IsAbs(path) {
		return false
	}
	path = filepath.Clean(path)
	return path == base || strings.HasPrefix(path, base+"/")
}
