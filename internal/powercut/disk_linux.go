package powercut

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// node is a file or a folder, whatever names it has. The kernel gives an inode's number again
// once its file is gone, so a number alone is no identity.
type node struct {
	synced bool
	data   string           // of a file, as it was synced last
	names  map[string]*node // of a folder, as it was synced last
	mode   fs.FileMode
	link   string
}

// disk knows what of a folder was synced. What was there at first was.
type disk struct {
	root  string
	nodes map[uint64]*node
}

func newDisk(root string) (*disk, error) {
	d := &disk{root: root, nodes: map[uint64]*node{}}
	return d, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && (entry.IsDir() || entry.Type().IsRegular()) {
			err = d.sync(path)
		}
		return err
	})
}

// made says that what stands at path is new, whatever its inode was before.
func (d *disk) made(path string) error {
	inode, err := inodeOf(path)
	if err == nil {
		delete(d.nodes, inode)
	}
	return err
}

func inodeOf(path string) (uint64, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return 0, err
	}
	return info.Sys().(*syscall.Stat_t).Ino, nil
}

// at is the node of path.
func (d *disk) at(path string) (*node, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	inode := info.Sys().(*syscall.Stat_t).Ino
	n := d.nodes[inode]
	if n == nil {
		n = &node{}
		d.nodes[inode] = n
	}
	n.mode = info.Mode()
	if n.mode&fs.ModeSymlink != 0 {
		n.link, err = os.Readlink(path)
	}
	return n, err
}

// sync is fsync(2) of path: content of a file, names of a folder.
func (d *disk) sync(path string) error {
	n, err := d.at(path)
	if err != nil {
		return err
	}
	n.synced = true
	if !n.mode.IsDir() {
		data, err := os.ReadFile(path)
		n.data = string(data)
		return err
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	n.names = map[string]*node{}
	for _, entry := range entries {
		if n.names[entry.Name()], err = d.at(filepath.Join(path, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

// synced is the tree that an obedient disk has at least.
func (d *disk) synced() (Tree, error) {
	top, err := d.at(d.root)
	tree := Tree{}
	if err == nil {
		top.addTo(tree, "")
	}
	return tree, err
}

func (n *node) addTo(tree Tree, path string) {
	for name, below := range n.names {
		full := filepath.Join(path, name)
		tree[full] = Entry{Mode: below.mode, Data: below.data, Link: below.link}
		below.addTo(tree, full)
	}
}

// live is the tree as the kernel shows it, and named the same with synced content only.
func (d *disk) live() (live, named Tree, err error) {
	live, named = Tree{}, Tree{}
	err = filepath.WalkDir(d.root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || path == d.root {
			return err
		}
		n, err := d.at(path)
		if err != nil {
			return err
		}
		entry := Entry{Mode: n.mode, Link: n.link, Data: n.data}
		name, err := filepath.Rel(d.root, path)
		if err != nil {
			return err
		}
		named[name] = entry
		if n.mode.IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			entry.Data = string(data)
		}
		live[name] = entry
		return nil
	})
	return live, named, err
}

// unsynced says that the content of a file is not on the disk.
func (d *disk) unsynced(path string) (bool, error) {
	n, err := d.at(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil || !n.mode.IsRegular() {
		return false, err
	}
	data, err := os.ReadFile(path)
	return n.data != string(data), err
}

// Disk is what may be found after a power cut, or a kill.
type Disk struct {
	Name string
	Tree Tree
}

// disks are all that may be found at this moment.
func (d *disk) disks(torn func(string) bool) ([]Disk, error) {
	live, named, err := d.live()
	if err != nil {
		return nil, err
	}
	synced, err := d.synced()
	if err != nil {
		return nil, err
	}
	all := []Disk{{"all that was written", live}, {"only what was synced", synced}, {"all names, only synced content", named}}
	for _, path := range slices.Sorted(maps.Keys(live)) {
		was, is := named[path].Data, live[path].Data
		switch {
		case !live[path].Mode.IsRegular() || was == is:
		case len(was) == len(is): // bytes were replaced by others where they stood: each is the old or the new one
			all = append(all, replaced(live, path, was, is)...)
		default:
			all = append(all, tear(live, path, was, is, torn != nil && torn(path))...)
		}
	}
	return all, nil
}

// replaced cuts off a write over what was synced, after each of its bytes that is another one.
func replaced(live Tree, path, was, is string) (all []Disk) {
	for n := range len(is) {
		if was[n] != is[n] {
			all = append(all, with(live, path, fmt.Sprintf("replaced up to byte %d of %d", n, len(is)), is[:n]+was[n:]))
		}
	}
	return all
}

// with is a disk on which one file has other content.
func with(live Tree, path, name, data string) Disk {
	tree := maps.Clone(live)
	entry := tree[path]
	entry.Data = data
	tree[path] = entry
	return Disk{fmt.Sprintf("%s %s", path, name), tree}
}

// tear cuts off the write that made a file's content from what was synced.
func tear(live Tree, path, was, is string, everywhere bool) []Disk {
	kept := 0
	if strings.HasPrefix(is, was) {
		kept = len(was)
	}
	cut := func(name, data string) Disk { return with(live, path, name, data) }
	all := []Disk{cut("with zeros", is[:kept]+strings.Repeat("\x00", len(is)-kept))}
	step := 1
	if !everywhere {
		step = max(1, (len(is)-kept)/3)
	}
	for n := kept; n < len(is); n += step {
		all = append(all, cut(fmt.Sprintf("cut after %d of %d bytes", n, len(is)), is[:n]))
	}
	return all
}
