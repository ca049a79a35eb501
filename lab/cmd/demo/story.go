package main

import (
	"fmt"
	"path/filepath"
)

// story is what the demo shows, in order.
var story = []scene{
	{"Two hosts, each with its own workers", []step{
		typed("rpctl status", 0, "rp-preprod", "rp-prod"),
	}},
	{"A deploy of preprod: nobody edits deploy.php, nobody restarts workers by hand", []step{
		say("A colleague has merged to dev."),
		merged("dev", "public/index.php", "<?php\necho 'Reconnect Pro, with the new search';\n"),
		typed("rpctl deploy --env preprod", 0, "new code proved"),
		typed("rpctl status --env preprod", 0),
		typed("rpctl history --env preprod", 0),
	}},
	{"The mistakes of today are refused", []step{
		say("deploy.php edited by hand, as the old runbook wanted it:"),
		appended("deploy.php", "// TODO: the workers of prod"),
		typed("rpctl deploy --env preprod", 4, "deploy.php"),
		typed("git checkout -q deploy.php", 0),
		say("A hosts.toml that says prod's host is a preprod one: the host knows better."),
		copied("hosts.toml", "wrong.toml", `"rp-preprod"`, `"rp-moved"`),
		copied("wrong.toml", "wrong.toml", `"rp-prod"`, `"rp-preprod"`),
		copied("wrong.toml", "wrong.toml", `"rp-moved"`, `"rp-prod"`),
		typed("rpctl deploy --env preprod --hosts ../wrong.toml", 4, "prod"),
	}},
	{"The agent answers anybody who may log in, without rpctl too", []step{
		where("ssh", typed("ssh -F ../ssh_config rp-preprod rp-agent status", 0, "preprod")),
	}},
}

// next says what can be tried.
func (s *stage) next(up bool) {
	if !up {
		fmt.Fprintf(s.out, "\n── That was all: every command ended as it should\n"+
			"   make demo KEEP=1   leaves the hosts up, for you to type the commands yourself\n"+
			"   make lab           makes real hosts: systemd, polkit, sshd and a bastion (root, Debian)\n")
		return
	}
	fmt.Fprintf(s.out, "\n── The hosts stay up until Ctrl-C. In another terminal:\n\n"+
		"cd %s\nexport PATH=%s:$PATH RPCTL_SSH_CONFIG=%s\n\n", s.lab.WorkTree(), filepath.Dir(s.rpctl), s.lab.SSHConfig())
	for _, line := range []string{
		"rpctl status", "rpctl deploy --env preprod --dry-run", "rpctl deploy --env preprod", "rpctl rollback --env preprod",
		"rpctl restart --env preprod --only 'messenger_worker_dmp@*'", "rpctl logs --env preprod --follow", "rpctl doctor",
		"rpctl deploy --env prod", "rpctl migrate status --plan ../plan.toml", "ssh -F ../ssh_config rp-prod rp-agent status",
	} {
		fmt.Fprintf(s.out, "%s\n", line)
	}
	fmt.Fprintf(s.out, "\nThe inventory is %s.\n", s.lab.HostsTOML())
}
