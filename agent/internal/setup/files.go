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
	return p.file(target{file.Path, file.Mode, root.uid, root.gid, fromBytes(file.Content), textOf(file.Content)})
}

// config plans agent.toml: what the host enforces from then on.
func (p *Plan) config(ctx context.Context, cfg proto.HostConfig) error {
	root, err := p.root(ctx)
	if err != nil {
		return err
	}
	content := config.Render(cfg)
	// The agent that is being installed must be able to follow it, or the host would serve nobody.
	cfg, err = config.Parse(proto.ConfigPath, content) // with what goes without saying filled in, as for the old one
	if err != nil {
		return err
	}
	explained := func(old []byte, there bool, change *proto.SetupChange) error {
		change.Differences, err = ruleDifferences(old, there, cfg)
		inText(old, content, there, change)
		return err
	}
	return p.file(target{proto.ConfigPath, 0o644, root.uid, root.gid, fromBytes(content), explained})
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
	for _, file := range []struct{ path, kind, content string }{
		{config.ApproversPath, "approver", signers.Approvers}, {config.TrustedHostsPath, "trusted host", signers.TrustedHosts},
	} {
		content := []byte(header + file.content)
		explained := func(old []byte, there bool, change *proto.SetupChange) (err error) {
			change.Differences, err = keyDifferences(file.kind, old, content, p.ruled || there) // an uninstall leaves the file
			inText(old, content, there, change)
			return err
		}
		if err := p.file(target{file.path, 0o644, root.uid, root.gid, fromBytes(content), explained}); err != nil {
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
	t := target{path: systemd.Binary, mode: 0o755, uid: root.uid, gid: root.gid, open: p.host.Agent}
	t.explain = func(_ []byte, _ bool, change *proto.SetupChange) (err error) {
		change.Differences, err = p.agentDifference(ctx, t)
		return err
	}
	return p.file(t)
}

// textOf explains a generated file by the lines that change. A new file is named only: this agent carries it.
func textOf(content []byte) func(old []byte, there bool, change *proto.SetupChange) error {
	return func(old []byte, there bool, change *proto.SetupChange) error {
		inText(old, content, there, change)
		return nil
	}
}

// notUnderstood stands for an old file that this agent cannot read.
const notUnderstood = "not understood by this agent"

// inText shows the lines of a file that changes, where what it means does not, or where that is not known.
func inText(old, content []byte, there bool, change *proto.SetupChange) {
	if there && (len(change.Differences) == 0 || change.Differences[0].Old == notUnderstood) {
		change.Text = textDifference(string(old), string(content))
	}
}
