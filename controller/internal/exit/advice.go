package exit

import "strings"

// Advice is what a host says to type next, as it can be typed on this machine: a command of the host
// goes over ssh, and one of rpctl that needs an environment gets the one that was asked.
func Advice(next, host, environment string) string {
	first, rest, _ := strings.Cut(next, " ")
	switch first {
	case "rp-agent", "sudo", "journalctl", "systemctl", "ls", "id", "pgrep", "timedatectl":
		if host == "" {
			return next
		}
		return "ssh " + host + " " + next
	case "rpctl":
		verb, _, _ := strings.Cut(rest, " ")
		if environment != "" && !strings.Contains(rest, "--env ") && verb != "plan" && verb != "version" && verb != "help" {
			return next + " --env " + environment
		}
	}
	return next
}
