package setup

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/systemd"
)

// NewUninstall plans to take away what New puts there, but for what is evidence: state and
// audit stay, and so do users and groups, whose numbers own them.
func NewUninstall(ctx context.Context, host *Host) (*Plan, error) {
	p := &Plan{host: host, verb: "uninstall rp-agent"}
	if err := host.requireRoot(p.verb); err != nil {
		return nil, err
	}
	if err := p.planRemoval(ctx); err != nil {
		return nil, hostError("cannot see what has to be done on this host", err)
	}
	return p, nil
}

func (p *Plan) planRemoval(ctx context.Context) error {
	if err := p.quiet(ctx); err != nil {
		return err
	}
	for _, name := range append(systemd.Paths(), proto.ConfigPath, systemd.Binary) {
		if err := p.removal(name); err != nil {
			return err
		}
	}
	if p.touchesUnits() {
		p.command(proto.SetupChange{Action: "run", Target: "systemctl daemon-reload"}, "systemctl", "daemon-reload")
	}
	p.stopSlice()
	if sshd, err := p.host.unitState(ctx, "ssh.service"); err != nil {
		return err
	} else if p.touches(systemd.SSHDPath) && sshd["ActiveState"] == "active" {
		p.command(proto.SetupChange{Action: "run", Target: "systemctl reload ssh.service"}, "systemctl", "reload", "ssh.service")
	}
	p.note("%s and %s stay: state, audit and receipts are evidence", stateDir, "/var/lib/rp-agent-console")
	p.note("user %s and group %s stay: they own them; forced-command lines in authorized_keys stay, and lead nowhere", systemd.User, systemd.Group)
	return nil
}

// quiet plans to stop what listens and what serves; a console command that runs is left to end.
func (p *Plan) quiet(ctx context.Context) error {
	if there, err := p.host.exists(socketFile); err != nil || !there {
		return err
	}
	p.command(proto.SetupChange{Action: "stop", Target: systemd.Socket, Detail: "and never start it again"},
		"systemctl", "disable", "--now", systemd.Socket)
	if enabled, err := p.host.exists(socketLink); err != nil {
		return err
	} else if enabled { // what is put back must listen again, also after a reboot
		last := &p.actions[len(p.actions)-1]
		last.unit = true
		last.undo = func() error { return enableAgain(p.host.path(socketLink)) }
	}
	p.command(proto.SetupChange{Action: "stop", Target: "rp-agent@*.service", Detail: "connections that are open"},
		"systemctl", "stop", "rp-agent@*.service")
	return nil
}

// stopSlice plans to end the slice, which systemd keeps when its last unit has ended. Stopping it would end a console
// command that still runs, so the host is asked again at that moment.
func (p *Plan) stopSlice() {
	if !p.touches(systemd.UnitDir + "/" + systemd.Slice) {
		return
	}
	p.actions = append(p.actions, action{
		SetupChange: proto.SetupChange{Action: "stop", Target: systemd.Slice, Detail: "unless a job still runs"},
		do: func(ctx context.Context) error {
			left, err := p.host.Commands.Run(ctx, "systemctl", "list-units", "--plain", "--no-legend", "rp-agent-*@*.service")
			if err == nil && strings.TrimSpace(left) == "" {
				_, err = p.host.Commands.Run(ctx, "systemctl", "stop", systemd.Slice)
			}
			return err
		},
	})
}

// removal plans to remove a file, and the drop-in folder that is empty after it.
func (p *Plan) removal(name string) error {
	there, err := p.host.exists(name)
	if err != nil {
		return err
	}
	if !there {
		p.leftovers(name)
		return nil
	}
	full := p.host.path(name)
	old := beside(full, "old")
	p.actions = append(p.actions, action{
		SetupChange: proto.SetupChange{Action: "remove", Target: name},
		unit:        strings.HasPrefix(name, systemd.UnitDir+"/"),
		do:          func(context.Context) error { return place(full, old) },
		undo:        func() error { return putBackRemoved(full, old) },
		clean: func() {
			_ = os.Remove(old)
			_ = os.Remove(beside(full, "new"))
			if strings.HasSuffix(path.Dir(name), ".d") && strings.HasPrefix(path.Base(path.Dir(name)), "rp-agent") {
				_ = os.Remove(filepath.Dir(full)) // fails where an administrator's drop-in is
			}
		},
	})
	return nil
}

// enableAgain is systemctl enable without systemctl, which may be what has failed.
func enableAgain(link string) error {
	if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
		return err
	}
	if err := os.Symlink(socketFile, link); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil // disable never came to it
}

func putBackRemoved(full, old string) error {
	if _, err := os.Lstat(full); err == nil {
		return nil // do never came to it
	}
	return os.Rename(old, full)
}
