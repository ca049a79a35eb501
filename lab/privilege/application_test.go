package privilege

import "context"

const denied = "Permission denied"

// application has a shell as the application's user, as every developer does, and is a member of rpctl.
func application() siege {
	return siege{"The application's user, with a shell",
		"A login over SSH as the user that the application and its workers run as, a member of group rpctl.",
		func(ctx context.Context, s *stage, script string) (string, error) {
			return typed(ctx, s.developerHas()+"ssh rp-preprod "+quote("exec 2>&1; "+script))
		}, slicesOf(evidence(), forgeries(), tricks(), otherPrograms(), plantedByApplication(), crowd())}
}

func slicesOf(parts ...[]attempt) (all []attempt) {
	for _, part := range parts {
		all = append(all, part...)
	}
	return all
}

// evidence is to be read or changed.
func evidence() []attempt {
	return []attempt{
		{name: "list the agent's state", try: `ls /var/lib/rp-agent`, refusal: []string{denied}},
		{name: "read the receipt key", try: `cat /var/lib/rp-agent/receipt_key`, refusal: []string{denied}},
		{name: "read the audit", try: `cat /var/lib/rp-agent/audit.jsonl`, refusal: []string{denied}},
		{name: "write into the audit", try: `echo '{}' >>/var/lib/rp-agent/audit.jsonl`, refusal: []string{denied}},
		{name: "give the audit another name", try: `ln /var/lib/rp-agent/audit.jsonl ~/audit`, refusal: []string{denied}},
		{name: "put another state folder in place", try: `mv /var/lib/rp-agent /var/lib/rp-agent.old && mkdir /var/lib/rp-agent`, refusal: []string{denied}},
		{name: "remove the state", try: `rm -rf /var/lib/rp-agent/jobs`, refusal: []string{denied}},
		{name: "list the outputs of console commands", try: `ls /var/lib/rp-agent-console/output`, refusal: []string{denied}},
		{name: "list the records of how they ended", try: `ls /var/lib/rp-agent-console/ends`, refusal: []string{denied}},
		{name: "list what they are to do", try: `ls /var/lib/rp-agent-console/specs`, refusal: []string{denied}},
		{name: "forge how a command ended", try: `echo '{"version":1,"content":{"result":"success"}}' >/var/lib/rp-agent-console/ends/abcdefgh.json`, refusal: []string{denied}},
		{name: "forge what a command is to do", try: `echo '{}' >/var/lib/rp-agent-console/specs/abcdefgh.json`, refusal: []string{denied}},
		{name: "read an instance's memory and environment", try: `sleep 2 | rp-agent rpc >/dev/null & until p=$(pgrep -n -u rp-agent); do sleep 0.05; done
cat /proc/$p/environ /proc/$p/mem /proc/$p/fd/0 | grep -a . && echo GOT IN; exit 1`, refusal: []string{denied, "No such file"}},
		{name: "kill an instance", try: `sleep 2 | rp-agent rpc >/dev/null & until p=$(pgrep -n -u rp-agent); do sleep 0.05; done; kill -9 $p && echo GOT IN; exit 1`,
			refusal: []string{"Operation not permitted"}},
	}
}

// ask asks the socket one thing and shows the answer.
func ask(request string) string {
	return `rp-agent rpc <<<'` + request + `' | tail -1; exit 1`
}

// onePlan is a plan that nobody simulated, for a request.
const onePlan = `"plan":{"version":1,"ticket":"t","centre":"c","groups":[{"name":"g","steps":[{"origin":{"id":1,"name":"A"},"destination":{"id":2,"name":"B"},"no_field":true}]}]}`

// forgeries are put in place, and told to the socket.
func forgeries() []attempt {
	const head = `{"id":1,"protocol":1,"environment":"preprod","operator":"claire",`
	return []attempt{
		{name: "put a forged receipt in place", try: `mkdir -p /var/lib/rp-agent/plans/x && echo '{}' >/var/lib/rp-agent/plans/x/applied.json`, refusal: []string{denied}},
		{name: "become an approver", try: `echo "app $(ssh-keygen -q -t ed25519 -N '' -f ~/k <<<y >/dev/null; cat ~/k.pub)" >>/etc/rp-agent/approvers`, refusal: []string{denied}},
		{name: "become a trusted host", try: `echo x >/etc/rp-agent/trusted_hosts`, refusal: []string{denied}},
		{name: "allow more in agent.toml", try: `sed -i s/simulation_hours/x/ /etc/rp-agent/agent.toml`, refusal: []string{denied}},
		{name: "put another folder in the place of /etc/rp-agent", try: `mv /etc/rp-agent /etc/rp-agent.old`, refusal: []string{denied}},
		{name: "approve with a signature of one's own", try: `rm -f ~/k ~/k.pub; ssh-keygen -q -t ed25519 -N '' -f ~/k
body='{"kind":"approval","environment":"preprod","plan":"x","figures":"x","by":"claire","time":"2026-01-01T00:00:00Z","expires":"2099-01-01T00:00:00Z","nonce":"x"}'
sig=$(ssh-keygen -q -Y sign -n approval@rpctl -f ~/k <<<"$body" 2>/dev/null | sed ':a;N;$!ba;s/\n/\\n/g')
printf '` + head + `"op":"approve","args":{"approval":{"namespace":"approval@rpctl","body":%s,"signature":"%s\\n"}}}\n' "$(sed 's/"/\\"/g; s/.*/"&\\n"/' <<<"$body")" "$sig" | rp-agent rpc | tail -1; exit 1`,
			refusal: []string{"cannot accept the approval"}, noted: true},
		{name: "apply a plan that was never simulated", try: ask(head + `"op":"job-start","args":{"id":"abcdefgh1","kind":"apply",` + onePlan + `}}`), refusal: []string{`"gate"`}, noted: true},
		{name: "apply with break glass, where the host's file does not allow that", try: ask(head + `"op":"job-start","args":{"id":"abcdefgh2","kind":"apply","break_glass":"let me in",` + onePlan + `}}`), refusal: []string{`"gate"`, `"forbidden"`}, noted: true},
		{name: "a job whose id is a path", try: ask(head + `"op":"job-start","args":{"id":"../../../tmp/pwned","kind":"simulate",` + onePlan + `}}`), refusal: []string{`"bad_request"`}, noted: true},
		{name: "hand over a command line", try: ask(head + `"op":"job-start","args":{"id":"abcdefgh3","kind":"simulate","argv":["id"],` + onePlan + `}}`), refusal: []string{`"unsupported"`}},
		{name: "an operation that does not exist", try: ask(head + `"op":"exec","args":{"argv":["id"]}}`), refusal: []string{`"unsupported"`}},
		{name: "a change without a lease", try: ask(head + `"op":"restart"}`), refusal: []string{`"lease_required"`}, noted: true},
		{name: "a change on another environment's host", try: ask(`{"id":1,"protocol":1,"environment":"prod","op":"lease","args":{"purpose":"restart"}}`), refusal: []string{`"environment"`}, noted: true},
		{name: "be somebody else in the audit", try: `rp-agent rpc <<<'` + head + `"op":"lease","args":{"purpose":"restart"}}' >/dev/null; rp-agent audit log -n 2 --json`,
			refusal: []string{`"operator":"claire","user":"app","uid":1000`}, harmless: true, noted: true},
	}
}

// tricks lead our own programs, run by this user, astray.
func tricks() []attempt {
	return []attempt{
		{name: "be the instance", try: `rp-agent instance`, refusal: []string{"cannot serve"}},
		{name: "be the runner", try: `rp-agent run abcdefgh`, refusal: []string{"permission denied"}},
		{name: "be who records an end", try: `SERVICE_RESULT=success EXIT_CODE=exited EXIT_STATUS=0 rp-agent console-end abcdefgh`, refusal: []string{"permission denied"}},
		{name: "set the host up anew", try: `echo '{}' | rp-agent setup`, refusal: []string{"root", "bad"}},
		{name: "another state folder by STATE_DIRECTORY", try: `mkdir -p ~/state; STATE_DIRECTORY=~/state rp-agent audit log -n 1 && ls -A ~/state`, refusal: []string{"lease", "restart"}, harmless: true},
		{name: "programs of one's own on the PATH of who asks", try: `mkdir -p ~/bin; for p in journalctl systemctl ssh-keygen php; do printf '#!/bin/sh\nid >>/tmp/pwned\n' >~/bin/$p; chmod +x ~/bin/$p; done
PATH=~/bin:$PATH rp-agent doctor | tail -3; PATH=~/bin:$PATH rp-agent rpc <<<'{"id":1,"protocol":1,"op":"journal","environment":"preprod"}' | tail -1 | cut -c1-30`, refusal: []string{`"event":"done"`}, harmless: true},
		{name: "a library of one's own for the linker", try: `LD_PRELOAD=/tmp/pwned.so LD_AUDIT=/tmp/pwned.so GODEBUG=x GOTRACEBACK=crash rp-agent audit log -n 1 >/dev/null; ls /tmp/pwned`, refusal: []string{"No such file"}},
		{name: "replace the agent's binary", try: `cp /bin/sh /usr/local/bin/rp-agent`, refusal: []string{denied, "Text file busy"}},
	}
}

// otherPrograms might give more than the agent does.
func otherPrograms() []attempt {
	const asks = "uthenti"
	refused := []string{asks, "Access denied", "interactive", "not permitted"}
	all := []attempt{
		{name: "sudo", try: `sudo -n id`, refusal: []string{"password is required", "a password"}},
		{name: "su", try: `su root -c id </dev/null`, refusal: []string{"Authentication failure", "must be run from a terminal"}},
		{name: "pkexec", try: `pkexec id`, refusal: []string{"not found", "Error"}},
		{name: "systemd-run as root", try: `systemd-run --no-ask-password --wait touch /run/pwned`, refusal: refused},
		{name: "systemd-run under the runner's name", try: `systemd-run --no-ask-password --unit=rp-agent-run@abcdefgh touch /run/pwned`, refusal: refused},
		{name: "a unit by crontab", try: `echo '* * * * * root touch /run/pwned' >/etc/cron.d/pwned`, refusal: []string{denied, "No such file"}},
	}
	for _, command := range []string{
		"start rp-agent-run@abcdefgh.service", "start rp-agent-console@abcdefgh.service", "start rp-agent-dryrun@abcdefgh.service", "stop rp-agent.socket",
		"restart messenger_worker_async@1.service", "stop ssh.service", "daemon-reload", "enable --runtime ssh.service",
		"set-property messenger_worker_async@1.service CPUWeight=1", "kill messenger_worker_async@1.service", "edit --runtime --stdin messenger_worker_async@1.service",
	} {
		all = append(all, attempt{name: "systemctl " + command, try: "systemctl --no-ask-password " + command + " </dev/null",
			refusal: append([]string{denied, "denied", "Failed", "nrecognized option"}, refused...)})
	}
	return all
}
