package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/systemd"
)

// unreadable are the files of an install that only root can read: the rule is asked about
// (polkitRule), not looked at.
var unreadable = map[string]bool{systemd.RulePath: true}

// units compares what `rp-agent setup` wrote with what is there, and with what systemd has read.
func (e *examination) units(ctx context.Context) (string, error) {
	installed, err := e.installed()
	if err != nil {
		return "", err
	}
	cfg, err := e.configured()
	if err != nil {
		return "", err
	}
	files, err := systemd.Files(cfg, nil)
	if err != nil {
		return "", err
	}
	compared := 0
	for _, file := range files {
		if unreadable[file.Path] || installed.lacks(file.Needs) {
			continue
		}
		if err := installed.unchanged(file); err != nil {
			return "", err
		}
		compared++
	}
	if err := e.fresh(ctx); err != nil {
		return "", err
	}
	detail := fmt.Sprintf("%d files as they were installed", compared)
	if others := installed.otherDropIns(); len(others) > 0 {
		detail += "; this host changes them by " + strings.Join(others, ", ")
	}
	return detail, nil
}

func (i *Installed) path(name string) string { return filepath.Join(i.Root, name) }

func (i *Installed) lacks(folder string) bool {
	if folder == "" {
		return false
	}
	_, err := os.Stat(i.path(folder))
	return isMissing(err)
}

func (i *Installed) unchanged(file systemd.File) error {
	content, err := os.ReadFile(i.path(file.Path))
	switch {
	case isMissing(err):
		return wrong(reinstall, "%s is missing", file.Path)
	case err != nil:
		return err
	case !bytes.Equal(content, file.Content):
		return wrong(reinstall, "%s is not as this agent installs it; a change of yours belongs into a drop-in", file.Path)
	}
	return i.rights(file.Path, file.Mode, file.Owner, file.Group)
}

// fresh asks whether systemd has read the socket's file since it changed; templates are read at each start.
func (e *examination) fresh(ctx context.Context) error {
	manager, err := e.connected(ctx)
	if err != nil {
		return err
	}
	stale, err := manager.Stale(ctx, "rp-agent.socket")
	if err == nil && stale {
		return wrong(proto.Advice{Code: proto.AdviceReload}, "systemd has not read rp-agent.socket since it changed")
	}
	return err
}

// otherDropIns is what an administrator added: allowed, but never unseen.
func (i *Installed) otherDropIns() []string {
	var others []string
	for _, unit := range systemd.Units {
		found, err := filepath.Glob(i.path(path.Join(systemd.UnitDir, unit+".d", "*.conf")))
		if err != nil {
			continue // the pattern is ours and good
		}
		for _, name := range found {
			if name != i.path(systemd.DropInPath(unit)) {
				others = append(others, path.Join(unit+".d", filepath.Base(name)))
			}
		}
	}
	return others
}

// rights checks mode and owner of something, without following a link.
func (i *Installed) rights(name string, mode fs.FileMode, owner, group string) error {
	info, err := os.Lstat(i.path(name))
	if isMissing(err) {
		return wrong(reinstall, "%s is missing", name)
	}
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		return wrong(proto.Advice{Code: proto.AdviceRemove, Path: name}, "%s is a link; once it is gone, an install puts there what belongs there", name)
	}
	if got := info.Mode() & (fs.ModePerm | fs.ModeSetgid | fs.ModeSetuid); got != mode {
		return wrong(reinstall, "%s has rights %v, want %v", name, got, mode)
	}
	if gotOwner, gotGroup := i.owners(name, info); gotOwner != owner || gotGroup != group {
		return wrong(reinstall, "%s belongs to %s:%s, want %s:%s", name, gotOwner, gotGroup, owner, group)
	}
	return nil
}

func (i *Installed) owners(name string, info fs.FileInfo) (owner, group string) {
	stat := info.Sys().(*syscall.Stat_t)
	if i.Owners != nil {
		return i.Owners(name, stat.Uid, stat.Gid)
	}
	owner, group = fmt.Sprintf("uid %d", stat.Uid), fmt.Sprintf("gid %d", stat.Gid)
	if u, err := user.LookupId(strconv.Itoa(int(stat.Uid))); err == nil {
		owner = u.Username
	}
	if g, err := user.LookupGroupId(strconv.Itoa(int(stat.Gid))); err == nil {
		group = g.Name
	}
	return owner, group
}

func (i *Installed) hasGroup(name string) bool {
	if i.HasGroup != nil {
		return i.HasGroup(name)
	}
	_, err := user.LookupGroup(name)
	return err == nil
}

func (e *examination) folders(context.Context) (string, error) {
	installed, err := e.installed()
	if err != nil {
		return "", err
	}
	for _, folder := range systemd.Folders {
		if err := installed.rights(folder.Path, folder.Mode, folder.Owner, folder.Group); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d folders with the right owner and mode", len(systemd.Folders)), nil
}

func (e *examination) receiptKey(context.Context) (string, error) {
	installed, err := e.installed()
	if err != nil {
		return "", err
	}
	key := systemd.Folders[1].Path + "/receipt_key"
	err = errors.Join(installed.rights(key, 0o600, systemd.User, systemd.User),
		installed.rights(key+".pub", 0o644, systemd.User, systemd.User))
	return "there, and nobody else's to read", err
}

// socket is the one entry: who may connect is its owner and mode.
func (e *examination) socket(context.Context) (string, error) {
	installed, err := e.installed()
	if err != nil {
		return "", err
	}
	if err := installed.rights(proto.SocketPath, 0o660, "root", systemd.Group); err != nil {
		return "", wrong(proto.Advice{Code: proto.AdviceEnableSocket}, "%v", err)
	}
	return "members of " + systemd.Group + " may connect", nil
}

// groups must be in /etc/group: the agent names a caller's groups by it.
func (e *examination) groups(context.Context) (string, error) {
	installed, err := e.installed()
	if err != nil {
		return "", err
	}
	cfg, err := e.configured()
	if err != nil {
		return "", err
	}
	for _, name := range append(append([]string{systemd.Group}, cfg.Look...), cfg.Act...) {
		if !installed.hasGroup(name) {
			return "", wrong(proto.Advice{Code: proto.AdviceGroup, Account: name}, "group %s of agent.toml is not in /etc/group: nobody is in it", name)
		}
	}
	detail := fmt.Sprintf("look: %s; act: %s", strings.Join(cfg.Look, ", "), strings.Join(cfg.Act, ", "))
	if slices.ContainsFunc(slices.Concat(cfg.Look, cfg.Act), func(name string) bool { return name != systemd.Group }) {
		detail += "; who is in one of them must be in " + systemd.Group + ", too: the socket is open to that group alone"
	}
	return detail, nil
}

// binary must be root's, with all folders above: who can change it is the agent.
func (e *examination) binary(context.Context) (string, error) {
	installed, err := e.installed()
	if err != nil {
		return "", err
	}
	if err := installed.rights(systemd.Binary, 0o755, "root", "root"); err != nil {
		return "", err
	}
	for folder := path.Dir(systemd.Binary); folder != "/"; folder = path.Dir(folder) {
		info, err := os.Stat(installed.path(folder))
		if err != nil {
			return "", err
		}
		if owner, _ := installed.owners(folder, info); owner != "root" || info.Mode().Perm()&0o022 != 0 {
			return "", wrong(proto.Advice{Code: proto.AdviceProtect, Path: folder}, "%s can be written by others than root: they could change the agent", folder)
		}
	}
	return systemd.Binary + " is root's alone", nil
}
