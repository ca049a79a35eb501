package setup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/systemd"
)

// folders puts tmpfiles.d's file in place and lets systemd-tmpfiles mend what differs: it walks
// without following links, and refuses a path that leads out of another user's folder.
func (p *Plan) folders(ctx context.Context, files []systemd.File) error {
	if err := p.packaged(ctx, files, systemd.TmpfilesPath); err != nil {
		return err
	}
	var wrong []string
	for _, folder := range systemd.Folders {
		why, err := p.folderDiffers(ctx, folder)
		if err != nil {
			return err
		}
		if why != "" {
			wrong = append(wrong, folder.Path+" "+why)
		}
	}
	if len(wrong) > 0 {
		p.command(proto.SetupChange{Action: "create", Target: "folders", Detail: strings.Join(wrong, "; ")},
			"systemd-tmpfiles", "--create", systemd.TmpfilesPath)
	}
	return nil
}

// folderDiffers says how the folder is not as it shall be, or "".
func (p *Plan) folderDiffers(ctx context.Context, want systemd.Folder) (string, error) {
	info, err := os.Lstat(p.host.path(want.Path))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return missing, nil
	case err != nil:
		return "", err
	case !info.IsDir():
		return "", fmt.Errorf("%s is no folder: move it away", want.Path)
	}
	owner, err := p.host.account(ctx, want.Owner)
	if err != nil {
		return "", err
	}
	group, err := p.host.group(ctx, want.Group)
	if err != nil {
		return "", err
	}
	stat := info.Sys().(*syscall.Stat_t)
	if owner == nil || group == nil || int(stat.Uid) != owner.uid || int(stat.Gid) != group.gid {
		return fmt.Sprintf("belongs to %d:%d, not to %s:%s", stat.Uid, stat.Gid, want.Owner, want.Group), nil
	}
	if mode := info.Mode() & (fs.ModePerm | fs.ModeSetgid | fs.ModeSetuid | fs.ModeSticky); mode != want.Mode {
		return fmt.Sprintf("is %v, not %v", mode, want.Mode), nil
	}
	return "", nil
}
