package setup

import (
	"context"
	"fmt"
	"os"
	"path"
	"slices"

	"github.com/re-connect/rpctl/agent/internal/config"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/systemd"
)

// unitFolders is where systemd finds units on Debian (systemd.unit(5)); the first wins.
var unitFolders = []string{
	systemd.UnitDir, "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system",
}

// installedTemplates is those templates of the patterns that this host has; the others are noted.
func (p *Plan) installedTemplates(patterns []proto.UnitPattern) []string {
	var templates []string
	for _, pattern := range patterns {
		template := pattern.Template()
		switch {
		case slices.Contains(templates, template):
		case p.hasUnit(template):
			templates = append(templates, template)
		default:
			p.note("%s is not on this host: %s cannot be restarted until it is, and setup was run again", template, pattern)
		}
	}
	return templates
}

// hasUnit says that the unit has a file; a masked one is a link to /dev/null and counts as none.
func (p *Plan) hasUnit(name string) bool {
	for _, folder := range unitFolders {
		if info, err := os.Stat(p.host.path(path.Join(folder, name))); err == nil {
			return info.Mode().IsRegular()
		}
	}
	return false
}

// files plans units, rule and drop-ins, but for those that accounts and folders have planned.
func (p *Plan) files(ctx context.Context, files []systemd.File) error {
	for _, file := range files {
		if file.Path == systemd.SysusersPath || file.Path == systemd.TmpfilesPath {
			continue
		}
		if file.Needs != "" {
			if there, err := p.host.exists(file.Needs); err != nil {
				return err
			} else if !there {
				p.note("%s is not on this host, so %s is left out%s", file.Needs, path.Base(file.Path), consequence(file.Path))
				continue
			}
		}
		if err := p.packaged(ctx, files, file.Path); err != nil {
			return err
		}
	}
	return nil
}

func consequence(file string) string {
	if file == systemd.RulePath {
		return ": the agent can look, but restart nothing (Debian: apt install polkitd; polkit 0.105 has no such rules)"
	}
	return ""
}

// packaged plans the one of the files that has this path. All of them are root's.
func (p *Plan) packaged(ctx context.Context, files []systemd.File, name string) error {
	at := slices.IndexFunc(files, func(f systemd.File) bool { return f.Path == name })
	if at < 0 {
		return fmt.Errorf("there is no %s in this agent", name)
	}
	root, err := p.root(ctx)
	if err != nil {
		return err
	}
	file := files[at]
	return p.file(target{file.Path, file.Mode, root.uid, root.gid, fromBytes(file.Content)})
}

// config plans agent.toml: what the host enforces from then on.
func (p *Plan) config(ctx context.Context, cfg proto.HostConfig) error {
	root, err := p.root(ctx)
	if err != nil {
		return err
	}
	content := config.Render(cfg)
	// The agent that is being installed must be able to follow it, or the host would serve nobody.
	if _, err := config.Parse(proto.ConfigPath, content); err != nil {
		return err
	}
	return p.file(target{proto.ConfigPath, 0o644, root.uid, root.gid, fromBytes(content)})
}

// signers plans the files of keys that the host's gates accept.
func (p *Plan) signers(ctx context.Context, signers *proto.SetupSigners) error {
	if signers == nil {
		return nil
	}
	root, err := p.root(ctx)
	if err != nil {
		return err
	}
	const header = "# Who is accepted here (allowed_signers of ssh-keygen(1)). Written by `rpctl agent install`.\n"
	for _, file := range []struct{ path, content string }{
		{"/etc/rp-agent/approvers", signers.Approvers}, {"/etc/rp-agent/trusted_hosts", signers.TrustedHosts},
	} {
		if err := p.file(target{file.path, 0o644, root.uid, root.gid, fromBytes([]byte(header + file.content))}); err != nil {
			return err
		}
	}
	return nil
}

// binary plans the agent itself, last of all files: until then the old one serves.
func (p *Plan) binary(ctx context.Context) error {
	root, err := p.root(ctx)
	if err != nil {
		return err
	}
	return p.file(target{systemd.Binary, 0o755, root.uid, root.gid, p.host.Agent})
}
