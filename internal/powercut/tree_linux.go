package powercut

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// Tree is what stands below a folder, by path relative to it.
type Tree map[string]Entry

// Entry is a file, a folder or a link.
type Entry struct {
	Mode fs.FileMode
	Data string // of a file
	Link string // of a link: where it leads
}

// Read is the tree that stands below dir.
func Read(dir string) (Tree, error) {
	live, _, err := (&disk{root: dir, nodes: map[uint64]*node{}}).live()
	return live, err
}

// Restore puts the tree into dir, which is empty or not there.
func (t Tree) Restore(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, path := range slices.Sorted(maps.Keys(t)) { // parents come first
		if err := t[path].restore(filepath.Join(dir, path)); err != nil {
			return err
		}
	}
	return nil
}

func (e Entry) restore(path string) error {
	switch {
	case e.Mode.IsDir():
		if err := os.Mkdir(path, 0o700); err != nil {
			return err
		}
	case e.Mode&fs.ModeSymlink != 0:
		return os.Symlink(e.Link, path)
	default:
		if err := os.WriteFile(path, []byte(e.Data), 0o600); err != nil {
			return err
		}
	}
	return os.Chmod(path, e.Mode)
}

// Sum is the same for two trees with the same content.
func (t Tree) Sum() string {
	sum := sha256.New()
	for _, path := range slices.Sorted(maps.Keys(t)) {
		e := t[path]
		fmt.Fprintf(sum, "%q %v %q %q\n", path, e.Mode, e.Link, e.Data)
	}
	return string(sum.Sum(nil))
}

// less is what other has and t has not, or has otherwise.
func (t Tree) less(other Tree) []string {
	var missing []string
	for _, path := range slices.Sorted(maps.Keys(other)) {
		mine, there := t[path]
		theirs := other[path]
		if !there || mine.Data != theirs.Data || mine.Link != theirs.Link || mine.Mode.Type() != theirs.Mode.Type() {
			missing = append(missing, path)
		}
	}
	return missing
}
