// Package release reads which release an application runs, in Deployer's layout:
// a folder with releases/N and a link `current` that leads to one of them.
//
// The layout belongs to the application's user, who is not trusted: everything is
// read through os.Root, so that no link leads the agent out of the folder.
package release

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/re-connect/rpctl/proto"
)

const (
	link   = "current"
	folder = "releases"
)

// nameForm is what a release may be called: Deployer counts (1, 2, 3…) or takes release_name.
// It is compiled when it is needed: the agent starts anew for every connection.
var nameForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[0-9A-Za-z_-][0-9A-Za-z._-]{0,63}$`)
})

// Layout is an application on this host. Path is absolute.
type Layout struct{ Path string }

// Current is the release that `current` names. Its errors are *proto.Error of CodeRelease.
func (l Layout) Current() (proto.Release, error) {
	root, err := os.OpenRoot(l.Path)
	if err != nil {
		return proto.Release{}, l.refuse("cannot open the application's folder %s: %v", l.Path, reason(err))
	}
	defer root.Close()
	// The link may be switched between two of our looks: then look again.
	for range 5 {
		release, again, err := l.look(root)
		if !again {
			return release, err
		}
	}
	return proto.Release{}, l.refuse("%s is being switched all the time", l.current())
}

// look reads the link, the folder and the link again; again says that it was switched meanwhile.
func (l Layout) look(root *os.Root) (release proto.Release, again bool, err error) {
	before, err := root.Lstat(link)
	if err != nil {
		return release, false, l.refuse("cannot read %s: %v", l.current(), reason(err))
	}
	if before.Mode()&fs.ModeSymlink == 0 {
		return release, false, l.refuse("%s is no link: want a link to %s/N, as Deployer makes it", l.current(), folder)
	}
	target, err := root.Readlink(link)
	if err != nil {
		return release, errors.Is(err, fs.ErrNotExist), l.refuse("cannot read the link %s: %v", l.current(), reason(err))
	}
	name, err := l.name(target)
	if err == nil {
		err = l.folder(root, name)
	}
	after, lost := root.Lstat(link)
	if lost != nil || !os.SameFile(before, after) || !changed(before).Equal(changed(after)) {
		return release, true, nil
	}
	if err != nil {
		return release, false, err
	}
	return proto.Release{
		Name:     name,
		Path:     filepath.Join(l.Path, folder, name),
		Revision: revision(root, name),
		Switched: switched(after),
	}, false, nil
}

// name is N when target is releases/N, relative or absolute.
func (l Layout) name(target string) (string, error) {
	relative := filepath.Clean(target)
	if filepath.IsAbs(target) {
		relative = l.inside(target)
	}
	parent, name := filepath.Split(relative)
	if parent != folder+"/" || !nameForm().MatchString(name) {
		return "", l.refuse("%s leads to %q, which is not a folder of %s",
			l.current(), target, filepath.Join(l.Path, folder))
	}
	return name, nil
}

// inside is target relative to the application's folder, by the name that
// agent.toml gives it or by the one that the system knows; empty when it is elsewhere.
func (l Layout) inside(target string) string {
	bases := []string{filepath.Clean(l.Path)}
	if real, err := filepath.EvalSymlinks(l.Path); err == nil {
		bases = append(bases, real)
	}
	for _, base := range bases {
		if below, ok := strings.CutPrefix(filepath.Clean(target), base+"/"); ok {
			return below
		}
	}
	return ""
}

// folder refuses a release that is no folder, or not reached without leaving the application's.
func (l Layout) folder(root *os.Root, name string) error {
	path := filepath.Join(folder, name)
	info, err := root.Lstat(path)
	if err != nil {
		return l.refuse("%s leads to %s, which cannot be read: %v", l.current(), path, reason(err))
	}
	if !info.IsDir() {
		return l.refuse("%s leads to %s, which is no folder", l.current(), path)
	}
	return nil
}

func (l Layout) current() string { return filepath.Join(l.Path, link) }

func (l Layout) refuse(format string, args ...any) error {
	return &proto.Error{
		Code:    proto.CodeRelease,
		Message: proto.Textf(format, args...),
		Advice:  proto.Advice{Code: proto.AdviceList, Path: l.current()},
	}
}

// reason leaves out the path that an *fs.PathError repeats.
func reason(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	return err
}
