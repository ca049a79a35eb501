package inprocess

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/re-connect/rpctl/lab/sshhost"
)

func (l *Lab) makeKey(context.Context) error {
	private, public, err := sshhost.NewClientKey("developer@lab")
	if err != nil {
		return err
	}
	l.developer = public
	l.authorize = func(options *sshhost.Options) { options.Authorized = append(options.Authorized, public) }
	return os.WriteFile(l.path("id_ed25519"), private, 0o600)
}

// writeFiles writes what leads the developer to the hosts.
func (l *Lab) writeFiles(context.Context) error {
	for name, data := range map[string][]byte{
		l.SSHConfig(): l.sshConfig(), l.path("known_hosts"): l.knownHosts(), l.HostsTOML(): l.hostsTOML(),
	} {
		if err := os.WriteFile(name, data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (l *Lab) sshConfig() []byte {
	var b bytes.Buffer
	for _, h := range l.hosts {
		port := nobody
		if h.server != nil {
			port = h.Addr().Port
		}
		fmt.Fprintf(&b, "Host %s\n    HostName 127.0.0.1\n    Port %d\n", h.Alias, port)
	}
	fmt.Fprintf(&b, `Host *
    User %s
    IdentityFile %s
    IdentitiesOnly yes
    IdentityAgent none
    UserKnownHostsFile %s
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    ControlPath none
`, appUser, l.path("id_ed25519"), l.path("known_hosts"))
	return b.Bytes()
}

// nobody is a port where nothing listens: tcpmux, which no system starts any more.
const nobody = 1

func (l *Lab) knownHosts() []byte {
	var b bytes.Buffer
	for _, h := range l.hosts {
		if h.server != nil && !h.Unknown {
			fmt.Fprintln(&b, h.server.KnownAs(h.Addr()))
		}
	}
	return b.Bytes()
}

func (l *Lab) hostsTOML() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Hosts in one process. The aliases are in ssh_config beside this file.\nversion = 1\n")
	for _, e := range l.options.Environments {
		workers := make([]string, len(e.Workers))
		for i, pattern := range e.Workers {
			workers[i] = string(pattern)
		}
		to := l.Application(e.Name)
		app, from := l.fromTree(l.options.App), l.fromTree(to)
		fmt.Fprintf(&b, "\n[environments.%s]\nhosts = %s\nbranch = %q\n", e.Name, list(e.Hosts), e.Branch)
		fmt.Fprintf(&b, "prepare = [%s]\n", list([]string{"git", "--version"}))
		fmt.Fprintf(&b, "deploy = %s\n", list([]string{app, "deploy", ".", from}))
		fmt.Fprintf(&b, "rollback = %s\n", list([]string{app, "rollback", from}))
		fmt.Fprintf(&b, "workers = %s\napplication = { path = %q, user = %q }\n", list(workers), to, appUser)
		fmt.Fprintf(&b, "console_host = %q\n", e.Hosts[0])
		if e.After != "" {
			fmt.Fprintf(&b, "after = %q\n", e.After)
		}
		if e.Confirm {
			fmt.Fprintf(&b, "confirm = true\n")
		}
		if rules := l.rules(e); rules != nil {
			fmt.Fprintf(&b, "\n[environments.%s.console]\nphp = %q\nscript = %q\napprovers = %q\n", e.Name, rules.PHP, rules.Script, approversFile)
			if e.BreakGlass {
				fmt.Fprintf(&b, "break_glass = true\n")
			}
		}
	}
	return b.Bytes()
}

// list is a TOML array of strings.
func list(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = fmt.Sprintf("%q", word)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// fromTree is a path as commands that run in the work tree may write it.
func (l *Lab) fromTree(path string) string {
	relative, err := filepath.Rel(l.WorkTree(), path)
	if err != nil {
		return path
	}
	return relative
}
