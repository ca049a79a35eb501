package systemd

import (
	"fmt"
	"strings"

	"github.com/re-connect/rpctl/proto"
)

const dropInHeader = "# Written by `rp-agent setup` from hosts.toml: where the application lives on this host.\n[Service]\n"

// renderDropIn is the part of a unit that depends on the application, or nil where none does.
func renderDropIn(unit string, app proto.Application) []byte {
	if !hasDropIn(unit) {
		return nil
	}
	console := unit == consoleUnit || unit == dryRunUnit
	var out strings.Builder
	out.WriteString(dropInHeader)
	if console {
		fmt.Fprintf(&out, "# The command runs as who serves the application, and as nobody more.\nUser=%s\n", app.User)
	}
	if hidden(app.Path) {
		out.WriteString("# ProtectHome=tmpfs hides all homes; this one folder comes back, read-only, and the home's own\n" +
			"# mode does not matter. Without -, a host whose first deploy is still to come could not answer.\n")
		fmt.Fprintf(&out, "BindReadOnlyPaths=-%s\n", app.Path)
	} else {
		out.WriteString("# The application lives outside of the homes: ProtectSystem=strict lets it be read.\n")
	}
	if console {
		out.WriteString("# What the application writes at run time: Deployer's shared folder, and cache and logs of the release.\n")
		fmt.Fprintf(&out, "ReadWritePaths=-%s/shared\nReadWritePaths=-%s/current/var\n", app.Path, app.Path)
	}
	return []byte(out.String())
}

// hasDropIn says whether a unit depends on the application: each service does.
func hasDropIn(unit string) bool { return strings.HasSuffix(unit, ".service") }

// hidden says that ProtectHome=tmpfs hides the path (systemd.exec(5)).
func hidden(p string) bool {
	for _, home := range []string{"/home/", "/root/", "/run/user/"} {
		if strings.HasPrefix(p, home) {
			return true
		}
	}
	return false
}
