package systemd

import (
	"fmt"
	"io/fs"
	"strings"
)

// Folder is a folder that systemd-tmpfiles keeps. Mode has permission bits and setgid. Age is
// tmpfiles.d(5)'s: files that were not touched for so long are removed; "-" is never.
type Folder struct {
	Path, Owner, Group, Age string
	Mode                    fs.FileMode
	Why                     string
}

// Folders are the agent's, parents first. Root writes only into those that root owns.
var Folders = []Folder{
	{"/etc/rp-agent", "root", "root", "-", 0o755,
		"What may be done on this host: root's word, for everyone to read."},
	{"/var/lib/rp-agent", User, User, "-", 0o700,
		"State, audit, receipts and the receipt key: evidence is never removed by age."},
	{"/var/lib/rp-agent-console", "root", "root", "-", 0o711,
		"What runner, systemd and console command hand to each other. Root's, so no link can lead root astray."},
	{"/var/lib/rp-agent-console/specs", User, User, "90d", 0o711,
		"What a console command is to do: read by the application's user, who must know the job's id."},
	{"/var/lib/rp-agent-console/output", "root", User, "90d", 0o750 | fs.ModeSetgid,
		"Its output, opened by systemd; rp-agent reads it, the application cannot enter."},
	{"/var/lib/rp-agent-console/ends", "root", User, "90d", 0o750,
		"How it ended, recorded by root alone."},
}

// renderTmpfiles is Folders as tmpfiles.d(5).
func renderTmpfiles() []byte {
	var out strings.Builder
	out.WriteString("# tmpfiles.d(5): the agent's folders, and what is pruned. Written by `rp-agent setup`.\n")
	for _, f := range Folders {
		fmt.Fprintf(&out, "# %s\nd %s %s %s %s %s\n", f.Why, f.Path, octal(f.Mode), f.Owner, f.Group, f.Age)
	}
	return []byte(out.String())
}

// octal is mode as chmod(1) reads it.
func octal(mode fs.FileMode) string {
	bits := uint32(mode.Perm())
	if mode&fs.ModeSetgid != 0 {
		bits |= 0o2000
	}
	return fmt.Sprintf("%04o", bits)
}
