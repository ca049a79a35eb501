package plans

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// What is kept of plans that were simulated at most. A plan that was approved, revoked, begun or applied is kept for
// ever, whatever of that still counts: its files are evidence.
const (
	keepPlans     = 200                 // those that changed last, for keepSimulated
	keepSimulated = 30 * 24 * time.Hour // after the last change
	keepLeast     = 24 * time.Hour      // however many there are
)

// Prune removes old plans that were simulated at most, but none of those in use, which are named by digest. The caller holds
// Admit of the jobs, so that no job begins and no approval is kept meanwhile. The error is of the first that cannot be removed.
func (f Folder) Prune(now time.Time, used map[string]bool) error {
	entries, err := os.ReadDir(f.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var all []old
	for _, entry := range entries {
		if _, bad := f.path(entry.Name(), "plan.json"); bad != nil || !entry.IsDir() || used[entry.Name()] {
			continue
		}
		if changed, simulated := f.simulatedOnly(entry.Name()); simulated {
			all = append(all, old{entry.Name(), changed})
		}
	}
	slices.SortFunc(all, func(a, b old) int { return b.changed.Compare(a.changed) })
	for i, plan := range all {
		if age := now.Sub(plan.changed); age > keepSimulated || i >= keepPlans && age > keepLeast {
			err = cmp.Or(err, f.remove(plan.digest))
		}
	}
	return err
}

// old is a plan that was simulated at most, and when its folder changed last.
type old struct {
	digest  string
	changed time.Time
}

// simulatedOnly says whether a plan's folder holds nothing but the plan and its simulation, the marks of steps that were
// never begun, and what a killed writer left. What cannot be read is kept.
func (f Folder) simulatedOnly(digest string) (changed time.Time, only bool) {
	folder := filepath.Join(f.dir, digest)
	info, err := os.Lstat(folder)
	if err != nil {
		return changed, false
	}
	files, err := os.ReadDir(folder)
	if err != nil {
		return changed, false
	}
	changed = info.ModTime()
	for _, file := range files {
		switch name := file.Name(); {
		case name == "steps.json":
			if steps, err := f.Steps(digest); err != nil || steps.Begun() || steps.BreakGlass != "" {
				return changed, false
			}
		case name == "plan.json", name == "simulation.json", strings.HasPrefix(name, "."):
		default:
			return changed, false
		}
	}
	return changed, true
}

// remove takes the plan away first: whatever cuts the removal off, a plan that is there has all its files.
func (f Folder) remove(digest string) error {
	path, err := f.path(digest, "plan.json")
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.RemoveAll(filepath.Dir(path))
}
