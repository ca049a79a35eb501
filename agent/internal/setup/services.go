package setup

import (
	"context"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/systemd"
)

const (
	socketFile = systemd.UnitDir + "/" + systemd.Socket
	socketLink = systemd.UnitDir + "/sockets.target.wants/" + systemd.Socket
)

// services plans what makes the files count: systemd reads its units again, the socket
// listens, sshd knows its drop-in.
func (p *Plan) services(ctx context.Context) error {
	socket, err := p.host.unitState(ctx, systemd.Socket)
	if err != nil {
		return err
	}
	if p.touchesUnits() || socket["NeedDaemonReload"] == "yes" {
		p.command(proto.SetupChange{Action: "run", Target: "systemctl daemon-reload"}, "systemctl", "daemon-reload")
	}
	if enabled, err := p.host.exists(socketLink); err != nil {
		return err
	} else if !enabled {
		p.command(proto.SetupChange{Action: "enable", Target: systemd.Socket, Detail: "at every boot"}, "systemctl", "enable", systemd.Socket)
		p.actions[len(p.actions)-1].undo = func() error { return os.Remove(p.host.path(socketLink)) }
	}
	switch {
	case socket["ActiveState"] != "active":
		p.command(proto.SetupChange{Action: "start", Target: systemd.Socket}, "systemctl", "restart", systemd.Socket)
	case p.touches(socketFile) || p.host.olderThanFile(socket["ActiveEnterTimestamp"], socketFile):
		p.command(proto.SetupChange{Action: "restart", Target: systemd.Socket, Detail: "connections that are open go on"},
			"systemctl", "restart", systemd.Socket)
	}
	return p.sshd(ctx)
}

// unitState is some properties of a unit as systemctl prints them; times are @SECONDS.
func (h *Host) unitState(ctx context.Context, unit string) (map[string]string, error) {
	return h.show(ctx, unit, "ActiveState,NeedDaemonReload,ActiveEnterTimestamp")
}

// show is the properties of a unit, as systemctl names and prints them.
func (h *Host) show(ctx context.Context, unit, properties string) (map[string]string, error) {
	out, err := h.Commands.Run(ctx, "systemctl", "show", "--timestamp=unix", "--property="+properties, unit)
	if err != nil {
		return nil, err
	}
	state := map[string]string{}
	for line := range strings.Lines(out) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			state[key] = value
		}
	}
	return state, nil
}

// olderThanFile says that a unit became active before its file was written, as after a setup
// that was cut off between the two.
func (h *Host) olderThanFile(entered, file string) bool {
	seconds, err := strconv.ParseInt(strings.TrimPrefix(entered, "@"), 10, 64)
	info, statErr := os.Stat(h.path(file))
	return err == nil && statErr == nil && seconds < info.ModTime().Unix()
}

func (p *Plan) touches(name string) bool {
	for _, a := range p.actions {
		if a.Target == name {
			return true
		}
	}
	return false
}

func (p *Plan) touchesUnits() bool {
	for _, a := range p.actions {
		if a.unit {
			return true
		}
	}
	return false
}

// sshd plans to have a changed drop-in checked and read. A bad file would end every later
// login, so the check fails the setup, which puts the old state back.
func (p *Plan) sshd(ctx context.Context) error {
	if !p.touches(systemd.SSHDPath) {
		return nil
	}
	state, err := p.host.unitState(ctx, "ssh.service")
	if err != nil {
		return err
	}
	if state["ActiveState"] != "active" {
		p.note("ssh.service does not run: %s counts from its next start", path.Base(systemd.SSHDPath))
		return nil
	}
	p.command(proto.SetupChange{Action: "run", Target: "sshd -t", Detail: "is the new drop-in good"}, "sshd", "-t")
	p.command(proto.SetupChange{Action: "run", Target: "systemctl reload ssh.service", Detail: "logins that are open go on"},
		"systemctl", "reload", "ssh.service")
	return nil
}
