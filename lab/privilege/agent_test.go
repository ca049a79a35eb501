package privilege

import "context"

// agentUser has a shell as rp-agent, as if the agent itself had been taken over.
func agentUser() siege {
	return siege{"The user rp-agent, with a shell",
		"A process as rp-agent outside of its sandbox. The agent's state is this user's own; root, and the application's data, are not.",
		func(ctx context.Context, s *stage, script string) (string, error) {
			return s.asUser(ctx, "rp-agent", script)
		}, slicesOf(serviceManager(), rootsFiles(), plantedByAgent(), ownRuns())}
}

// serviceManager is asked for what the polkit rule does not give; systemd/polkit_cases_test.go has the whole list.
func serviceManager() []attempt {
	const bus = `busctl --timeout=10 call org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager `
	refused := []string{"Access denied", "access denied", "interactive", "denied", "not permitted", "Failed", "Interactive"}
	all := []attempt{
		{name: "a transient unit as root", try: `systemd-run --no-ask-password --wait touch /run/pwned`, refusal: refused},
		{name: "a transient unit under the runner's name", try: `systemd-run --no-ask-password --unit=rp-agent-run@abcdefgh.service touch /run/pwned`, refusal: refused},
		{name: "a transient unit under a worker's name", try: `systemd-run --no-ask-password --unit=messenger_worker_async@77.service touch /run/pwned`, refusal: refused},
		{name: "a transient scope", try: `systemd-run --no-ask-password --scope --unit=messenger_worker_async@78.scope touch /run/pwned`, refusal: refused},
		{name: "StartTransientUnit", try: bus + `StartTransientUnit 'ssa(sv)a(sa(sv))' rp-agent-console@abcdefgh.service replace 1 ExecStart 'a(sasb)' 1 /usr/bin/touch 2 touch /run/pwned false 0`, refusal: refused},
		{name: "SetUnitProperties", try: bus + `SetUnitProperties 'sba(sv)' messenger_worker_async@1.service true 1 CPUWeight t 1`, refusal: refused},
		{name: "EnableUnitFiles", try: bus + `EnableUnitFiles asbb 1 ` + state + `/pwned.service true true`, refusal: refused},
		{name: "LinkUnitFiles", try: bus + `LinkUnitFiles asbb 1 ` + state + `/pwned.service true true`, refusal: refused},
		{name: "MaskUnitFiles", try: bus + `MaskUnitFiles asbb 1 ssh.service true true`, refusal: refused},
		{name: "Reload", try: bus + `Reload`, refusal: refused},
		{name: "Reexecute", try: bus + `Reexecute`, refusal: refused},
		{name: "Reboot", try: bus + `Reboot`, refusal: refused},
		{name: "reboot by logind", try: `busctl --timeout=10 call org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager Reboot b false`, refusal: append(refused, "Could not activate")},
		{name: "SetEnvironment of the manager", try: bus + `SetEnvironment as 1 LD_PRELOAD=/tmp/pwned.so`, refusal: refused},
		{name: "KillUnit", try: bus + `KillUnit ssi messenger_worker_async@1.service all 9`, refusal: refused},
		{name: "BindMountUnit", try: bus + `BindMountUnit sssbb messenger_worker_async@1.service /tmp /etc false false`, refusal: append([]string{"cannot live mount"}, refused...)},
		{name: "the manager's private socket", try: `SYSTEMCTL_FORCE_BUS=0 busctl --address=unix:path=/run/systemd/private list`, refusal: []string{denied, "Failed"}},
		{name: "pkexec", try: `pkexec id`, refusal: []string{"not found", "Error"}},
		{name: "sudo", try: `sudo -n id`, refusal: []string{"password is required"}},
	}
	for _, unit := range []string{"ssh.service", "dbus.service", "rp-agent.socket", "multi-user.target", "rescue.target", "rp-agent-run@../../x.service", "messenger_worker_async@1.socket"} {
		all = append(all, attempt{name: "start " + unit, try: "systemctl --no-ask-password start " + unit, refusal: append([]string{"not loaded", "Invalid unit name"}, refused...)},
			attempt{name: "stop " + unit, try: "systemctl --no-ask-password stop " + unit, refusal: append([]string{"not loaded", "Invalid unit name"}, refused...)})
	}
	return append(all, attempt{name: "start a worker that is stopped", try: "systemctl --no-ask-password start messenger_worker_async@79.service", refusal: refused})
}

// rootsFiles are what root runs or believes.
func rootsFiles() []attempt {
	var all []attempt
	for _, file := range []string{
		"/usr/local/bin/rp-agent", "/etc/rp-agent/agent.toml", "/etc/rp-agent/approvers", "/etc/rp-agent/trusted_hosts", "/etc/systemd/system/rp-agent@.service",
		"/etc/systemd/system/rp-agent-console@.service", "/etc/systemd/system/rp-agent@.service.d/50-application.conf", "/etc/systemd/system/messenger_worker_async@.service",
		"/etc/polkit-1/rules.d/60-rp-agent.rules", "/etc/tmpfiles.d/rp-agent.conf", "/etc/sysusers.d/rp-agent.conf", "/etc/ssh/sshd_config.d/60-rp-agent.conf", "/etc/passwd",
	} {
		all = append(all, attempt{name: "write to " + file, try: "echo x >>" + file, refusal: []string{denied, "Text file busy"}},
			attempt{name: "replace " + file, try: "mv -f " + state + "/receipt_key.pub " + file, refusal: []string{denied}})
	}
	for _, folder := range []string{"/etc/rp-agent", "/etc/systemd/system/rp-agent-run@.service.d", "/run/systemd/system", "/run/systemd/transient", "/run", "/etc/polkit-1/rules.d",
		"/var/lib/rp-agent-console", "/var/lib/rp-agent-console/ends", "/var/lib/rp-agent-console/output", "/usr/local/bin", "/home/app/www/shared"} {
		all = append(all, attempt{name: "a new file in " + folder, try: "mkdir " + folder + " 2>/dev/null; ln -s /etc/shadow " + folder + "/pwned && echo GOT IN; exit 1", refusal: []string{denied, "No such file"}})
	}
	return append(all,
		attempt{name: "forge how a command ended", try: `SERVICE_RESULT=success EXIT_CODE=exited EXIT_STATUS=0 rp-agent console-end abcdefgh`, refusal: []string{"permission denied"}},
		attempt{name: "change what a command printed", try: `touch /var/lib/rp-agent-console/output/x.out`, refusal: []string{denied}},
		attempt{name: "put another folder in the place of specs", try: `mv ` + specs + ` ` + specs + `.old`, refusal: []string{denied}},
		attempt{name: "put another folder in the place of the state", try: `mv ` + state + ` ` + state + `.old`, refusal: []string{denied}},
		attempt{name: "read root's files", try: `cat /etc/shadow /root/private`, refusal: []string{denied}},
		attempt{name: "a setuid file for the application's user to run", try: `cp /bin/sh ` + state + `/sh; chmod u+s ` + state + `/sh; ` + state + `/sh -p -c 'id -u' | grep -x 0 && echo GOT IN; rm -f ` + state + `/sh; echo own uid only`, harmless: true, refusal: []string{"own uid only"}},
		attempt{name: "kill a worker", try: `kill -9 $(systemctl show --value -p MainPID messenger_worker_async@1.service)`, refusal: []string{"not permitted"}},
		attempt{name: "set the host up anew", try: `rp-agent setup --uninstall`, refusal: []string{"root"}},
	)
}
