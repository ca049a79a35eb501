package local

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/controller/internal/exit"
)

// other is a user and a group that have nothing to do with the caller.
const other = 54321

// TestGuard: no other user may be able to change or to replace the file that path names.
func TestGuard(t *testing.T) {
	asRoot := os.Geteuid() == 0
	for name, c := range map[string]struct {
		spoil      func(dir, file string) error
		root       bool // needs it
		want, next string
	}{
		"good":                 {func(_, _ string) error { return nil }, false, "", ""},
		"world-writable":       {func(_, file string) error { return os.Chmod(file, 0o666) }, false, "every user", "chmod go-w FILE"},
		"folder of all":        {func(dir, _ string) error { return os.Chmod(dir, 0o777) }, false, "every user", "chmod go-w DIR"},
		"sticky folder of all": {func(dir, _ string) error { return os.Chmod(dir, 0o777|os.ModeSticky) }, false, "", ""},
		"file of all, sticky folder": {func(dir, file string) error {
			return errors.Join(os.Chmod(dir, 0o777|os.ModeSticky), os.Chmod(file, 0o606))
		}, false, "every user", "chmod go-w FILE"},
		"another group's":        {func(_, file string) error { return errors.Join(os.Chown(file, -1, other), os.Chmod(file, 0o664)) }, true, "can be changed by group 54321", "chmod g-w FILE"},
		"another group's folder": {func(dir, _ string) error { return errors.Join(os.Chown(dir, -1, other), os.Chmod(dir, 0o775)) }, true, "can be changed by group 54321", "chmod g-w DIR"},
		"another group reads":    {func(_, file string) error { return errors.Join(os.Chown(file, -1, other), os.Chmod(file, 0o644)) }, true, "", ""},
		"root's own group":       {func(_, file string) error { return os.Chmod(file, 0o664) }, true, "", ""},
		"another's":              {func(_, file string) error { return os.Chown(file, other, -1) }, true, "belongs to uid 54321", "ls -ld FILE"},
		"another's folder":       {func(dir, _ string) error { return os.Chown(dir, other, -1) }, true, "belongs to uid 54321", "ls -ld DIR"},
		"another's link": {func(_, file string) error {
			return errors.Join(os.Rename(file, file+".real"), os.Symlink(file+".real", file), os.Lchown(file, other, -1))
		}, true, "belongs to uid 54321", "ls -ld FILE"},
		"a link to a file of all": {func(dir, file string) error {
			return errors.Join(os.Rename(file, dir+"/real"), os.Chmod(dir+"/real", 0o666), os.Symlink("real", file))
		}, false, "every user", "chmod go-w DIR/real"},
		"a link through a folder of all": {func(dir, file string) error {
			return errors.Join(os.MkdirAll(dir+"/open/shut", 0o755), os.Chmod(dir+"/open", 0o777), os.Rename(file, dir+"/open/shut/real"), os.Symlink("open/shut/../shut/real", file))
		}, false, "every user", "chmod go-w DIR/open"},
		"a link to itself": {func(_, file string) error { return errors.Join(os.Remove(file), os.Symlink(file, file)) }, false, "too many levels", "ls -ld FILE"},
		"none":             {func(_, file string) error { return os.Remove(file) }, false, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if c.root && !asRoot {
				t.Skip("only root can give a file away")
			}
			dir, err := filepath.EvalSymlinks(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(dir, "hosts.toml")
			if err := os.WriteFile(file, nil, 0o644); err != nil {
				t.Fatal(err)
			}
			if err := c.spoil(dir, file); err != nil {
				t.Fatal(err)
			}
			err = Guard(file)
			if c.want == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			next := strings.NewReplacer("FILE", file, "DIR", dir).Replace(c.next)
			if err == nil || !strings.Contains(err.Error(), c.want) || exit.From(err).Next != next {
				t.Errorf("got %v, next %q; want %q, next %q", err, exit.From(err).Next, c.want, next)
			}
		})
	}
}

// TestGuardTrustsANamedOwner, who may write above the file as well; others may not.
func TestGuardTrustsANamedOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "hosts.toml")
	if err := errors.Join(os.WriteFile(file, nil, 0o644), os.Chown(file, other, other), os.Chown(dir, other, other)); err != nil {
		t.Fatal(err)
	}
	if err := Guard(file, other); err != nil {
		t.Error(err)
	}
	if err := Guard(file, other+1); err == nil {
		t.Error("a file of another user is used")
	}
}
