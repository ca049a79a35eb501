package exit

import "strings"

// Advice is what a host says to type next, as it can be typed on this machine: a command of the host
// goes over ssh, and one of rpctl that needs an environment gets the one that was asked.
func Advice(next, host, environment string) string {
	first, rest, _ := strings.Cut(next, " ")
	switch first {
	case "rp-agent", "journalctl", "systemctl", "ls", "df", "id", "pgrep", "timedatectl", "findmnt", "command":
		if host == "" {
			return next
		}
		return "ssh " + host + " " + remote(next)
	case "sudo":
		return asAdmin(next, host, environment)
	case "rpctl":
		verb, _, _ := strings.Cut(rest, " ")
		if environment != "" && !strings.Contains(rest, "--env ") && verb != "plan" && verb != "version" && verb != "help" {
			return next + " --env " + environment
		}
	}
	return next
}

// asAdmin is what to type for a command of root's: the login of the application has no sudo, and an
// install, which asks for an admin login, mends all that is the agent's own. The rest needs a terminal for a password.
func asAdmin(next, host, environment string) string {
	switch {
	case host == "":
		return next
	case environment != "" && (strings.Contains(next, " /etc/rp-agent") || strings.HasSuffix(next, " rp-agent.socket")):
		return "rpctl agent install --env " + environment
	}
	return "ssh -t " + host + " " + remote(next)
}

// remote is a command as the host's shell shall read it: in quotes where this one would read some of it first.
func remote(command string) string {
	switch {
	case !strings.ContainsAny(command, "\"'`$\\!&;|<>()*?[]{}#~"):
		return command
	case !strings.ContainsAny(command, "\"`$\\!"):
		return `"` + command + `"`
	}
	return Word(command)
}
