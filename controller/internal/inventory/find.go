package inventory

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/local"
	"github.com/re-connect/rpctl/internal/printable"
)

// FileName is what the inventory is called.
const FileName = "hosts.toml"

// Find says which hosts.toml counts: the one that --hosts names (flag), or
// $RPCTL_HOSTS (env), or the first from cwd upwards, or ~/.config/rpctl/hosts.toml
// (below home; "" skips it). A file that was named must be there. The file says which
// commands run on this machine, so no other user may be able to change it or to put another in its
// place (local.Guard); one that was found on the way up must belong to the caller or to root as well.
// The error is an *exit.Error of code BadInput.
func Find(flag, env, cwd, home string) (string, error) {
	if flag != "" {
		return named(flag, "--hosts")
	}
	if env != "" {
		return named(env, "$RPCTL_HOSTS")
	}
	var looked []string
	for folder := filepath.Clean(cwd); ; folder = filepath.Dir(folder) {
		path := filepath.Join(folder, FileName)
		looked = append(looked, path)
		if found, err := ours(path); found || err != nil {
			return path, err
		}
		if folder == filepath.Dir(folder) {
			break
		}
	}
	if home != "" {
		path := filepath.Join(home, ".config", "rpctl", FileName)
		looked = append(looked, path)
		if found, err := ours(path); found || err != nil {
			return path, err
		}
	}
	return "", &exit.Error{
		Code:    exit.BadInput,
		Message: printableList("there is no hosts.toml here: go to the project's folder, or name the file with --hosts; looked for", looked),
		Next:    "rpctl --help",
	}
}

// named is a path that somebody gave, by what is named in source.
func named(path, source string) (string, error) {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		err = errors.New("is a folder")
	case err == nil && !info.Mode().IsRegular():
		err = errors.New("is no plain file")
	}
	if err != nil {
		return "", &exit.Error{
			Code: exit.BadInput, Err: err,
			Message: fmt.Sprintf("cannot use %s, which %s names: %s", printable.Line(path), source, cause(err)),
		}
	}
	owner, _ := ownerOf(info)
	return path, local.Guard(path, owner) // naming a file is trust in its owner
}

// ours says whether there is a file at path, and refuses one that others own.
// What cannot be looked at is not there: a folder above may be closed to us.
func ours(path string) (bool, error) {
	info, err := os.Stat(path)
	if err != nil && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)) || err == nil && !info.Mode().IsRegular() {
		return false, nil
	}
	if err != nil {
		return false, &exit.Error{
			Code: exit.BadInput, Err: err,
			Message: fmt.Sprintf("cannot look at %s: %s", printable.Line(path), cause(err)),
		}
	}
	owner, known := ownerOf(info)
	if known && owner != 0 && owner != os.Geteuid() {
		return false, &exit.Error{
			Code:    exit.BadInput,
			Message: fmt.Sprintf("%s belongs to uid %d, not to you: it says which commands run here; if you trust it, name it with --hosts", printable.Line(path), owner),
			Next:    "ls -l " + printable.Line(path),
		}
	}
	return true, local.Guard(path)
}

func ownerOf(info fs.FileInfo) (uid int, known bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(stat.Uid), true
}

func printableList(title string, paths []string) string {
	lines := []string{title}
	for _, path := range paths {
		lines = append(lines, "  "+printable.Line(path))
	}
	return strings.Join(lines, "\n")
}
