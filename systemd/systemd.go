// Package systemd holds what rp-agent puts on a host besides itself: units, the
// polkit rule, users, folders and sshd's drop-in, rendered for one host. Every
// directive has its reason beside it, in files/.
package systemd

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/re-connect/rpctl/proto"
)

// Binary is where the agent lives. It is on the PATH of a login, so that `ssh host rp-agent` works.
const Binary = proto.AgentPath

// User owns state, receipts and audit; Group may connect to the agent's socket.
const (
	User  = "rp-agent"
	Group = "rpctl"
)

// Socket is the only unit that is enabled and started by the installer.
const Socket = "rp-agent.socket"

// UnitDir is where units go; an administrator's drop-in beside one wins over ours by its name.
const UnitDir = "/etc/systemd/system"

// File is one file to be put on a host. Owner and Group are names; Mode has permission bits only.
type File struct {
	Path    string
	Mode    fs.FileMode
	Owner   string
	Group   string
	Content []byte
	// Needs is a folder that belongs to another package; where it is missing, the file is left out.
	Needs string
}

// Paths of the files that an installer must treat apart.
const (
	SysusersPath = "/etc/sysusers.d/rp-agent.conf"
	TmpfilesPath = "/etc/tmpfiles.d/rp-agent.conf"
	RulePath     = "/etc/polkit-1/rules.d/60-rp-agent.rules"
	SSHDPath     = "/etc/ssh/sshd_config.d/60-rp-agent.conf"
)

//go:embed files rule.js.tmpl
var embedded embed.FS

// Slice bounds all that the agent starts.
const Slice = "rp-agent.slice"

// The templates of a console command. A dry run has one of its own, since it alone may be ended by a timeout.
const (
	consoleUnit = "rp-agent-console@.service"
	dryRunUnit  = "rp-agent-dryrun@.service"
)

// Units are the agent's own units, in the order in which they are installed.
var Units = []string{Slice, Socket, "rp-agent@.service", "rp-agent-run@.service", consoleUnit, dryRunUnit}

// Files is everything for a host with this configuration, in install order: users
// and folders first, what uses them after. templates are those of the configuration's
// worker templates (proto.UnitPattern.Template) that are installed on the host; the
// polkit rule names no others. The configuration is checked first: its words end up in
// files that root believes.
func Files(cfg proto.HostConfig, templates []string) ([]File, error) {
	if err := Check(cfg); err != nil {
		return nil, err
	}
	rule, err := renderRule(cfg.Workers, templates)
	if err != nil {
		return nil, err
	}
	files := []File{
		plain(SysusersPath, static("sysusers.conf")),
		plain(TmpfilesPath, renderTmpfiles()),
	}
	for _, unit := range Units {
		files = append(files, plain(path.Join(UnitDir, unit), unitFile(unit)))
		if dropIn := renderDropIn(unit, cfg.Application); dropIn != nil {
			files = append(files, plain(DropInPath(unit), dropIn))
		}
	}
	ruleFile, sshd := plain(RulePath, rule), plain(SSHDPath, static("sshd.conf"))
	ruleFile.Needs, sshd.Needs = path.Dir(RulePath), path.Dir(SSHDPath)
	return append(files, ruleFile, sshd), nil
}

// DropInPath is where the part of a unit goes that depends on the application.
func DropInPath(unit string) string {
	return path.Join(UnitDir, unit+".d", "50-application.conf")
}

// Paths is every path that Files can name, whatever the configuration: what an uninstall removes.
func Paths() []string {
	paths := []string{SysusersPath, TmpfilesPath, RulePath, SSHDPath}
	for _, unit := range Units {
		paths = append(paths, path.Join(UnitDir, unit))
		if hasDropIn(unit) {
			paths = append(paths, DropInPath(unit))
		}
	}
	slices.Sort(paths)
	return paths
}

func plain(name string, content []byte) File {
	return File{Path: name, Mode: 0o644, Owner: "root", Group: "root", Content: content}
}

func static(name string) []byte {
	content, err := embedded.ReadFile(path.Join("files", name))
	if err != nil {
		panic(fmt.Sprintf("systemd: %s is not embedded", name)) // the build is broken, not the input
	}
	return content
}
