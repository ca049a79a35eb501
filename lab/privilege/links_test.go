package privilege

import (
	"fmt"
	"strings"
)

const (
	www     = "/home/app/www"
	runSpec = `{"version":1,"content":{"step":{"origin":{"id":1,"name":"A"},"destination":{"id":2,"name":"B"},"no_field":true},"dry_run":true}}`
)

// plantedByApplication is links in the folders of the application, for the agent, root or systemd to follow.
func plantedByApplication() []attempt {
	keep := `rm -f ` + www + `/current; ln -s releases/1 ` + www + `/current; chown -h app:app ` + www + `/current; `
	return []attempt{
		{name: "a release whose REVISION is a link to the receipt key", try: `cd ` + www + `; mkdir releases/9 && ln -s /var/lib/rp-agent/receipt_key releases/9/REVISION && ln -sfn releases/9 current
rp-agent rpc <<<'{"id":1,"protocol":1,"op":"release","environment":"preprod"}' | tail -1`, refusal: []string{`"name":"9","path":"/home/app/www/releases/9","switched"`}, harmless: true, undo: keep + `rm -rf ` + www + `/releases/9`},
		{name: "current leads into the agent's state", try: `cd ` + www + `; ln -sfn ../../../var/lib/rp-agent current; rp-agent status`,
			refusal: []string{"which is not a folder of"}, undo: keep},
		{name: "the whole application is a link to the agent's state", try: `cd; mv www www.old && ln -s /var/lib/rp-agent www; rp-agent status; rc=$?; rm www; mv www.old www; exit $rc`,
			refusal: []string{"cannot", "rp-agent"}},
		{name: "the whole application is a link behind a closed folder", try: `cd; mv www www.old && ln -s /root/open www; exit 1`,
			root: startConsole("plant001", `cat `+www+`/private`), refusal: []string{"cannot"}, undo: `cd /home/app; rm -f www; mv www.old www`},
		{name: "current/var leads to the records of how commands end", try: `cd ` + www + `/releases/1; mv var var.old && ln -s /var/lib/rp-agent-console/ends var; exit 1`,
			root: startConsole("plant002", `touch /var/lib/rp-agent-console/ends/pwned && echo GOT IN`), refusal: []string{denied}, undo: `cd ` + www + `/releases/1; rm -f var; mv var.old var`},
		{name: "~/.ssh is a link when root adds a key that may only ask", try: `cd; mv .ssh .ssh.old && ln -s /root/open .ssh; exit 1`,
			root: addKey, refusal: []string{"/.ssh is no folder"}, undo: `cd /home/app; rm -f .ssh; mv .ssh.old .ssh`},
		{name: "authorized_keys is a link then", try: `cd ~/.ssh; mv authorized_keys old && ln -s /root/open/private authorized_keys; exit 1`,
			root: addKey, refusal: []string{"is no plain file"}, undo: `cd /home/app/.ssh; mv old authorized_keys`},
		{name: "authorized_keys is a pipe then", try: `cd ~/.ssh; mv authorized_keys old && mkfifo authorized_keys; exit 1`,
			root: "timeout 10 bash -c " + quote(addKey), refusal: []string{"is no plain file"}, undo: `cd /home/app/.ssh; rm -f authorized_keys; mv old authorized_keys`},
	}
}

// addKey is root's setup of a key for the application's user.
const addKey = `ssh-keygen -q -t ed25519 -N '' -f /run/new-key <<<y >/dev/null; sed "s#^{#{\"forced_key\":{\"user\":\"app\",\"public_key\":\"$(cut -d' ' -f1,2 /run/new-key.pub)\"},#" ` +
	specPath + ` | rp-agent setup; rm -f /run/new-key /run/new-key.pub`

// startConsole is a run of the console, whose application does what script says, and what it printed.
func startConsole(id, script string) string {
	return fmt.Sprintf(`install -o rp-agent -g rp-agent -m 0644 /dev/stdin /var/lib/rp-agent-console/specs/%[1]s.json <<<%[2]s
cat >%[3]s <<<%[4]s
systemctl start --wait rp-agent-console@%[1]s; cat /var/lib/rp-agent-console/output/%[1]s.*`, id, quote(runSpec), attemptPath, quote(script))
}

const (
	state = "/var/lib/rp-agent"
	specs = "/var/lib/rp-agent-console/specs"
)

// setUp is root's setup of the host as it is, after something of it is gone, so that it has to write.
const setUp = `rp-agent setup <` + specPath

// plantedByAgent is links in every folder of rp-agent that root or systemd comes to.
func plantedByAgent() []attempt {
	own := func(name, try, root, undo string, refusal ...string) attempt {
		return attempt{name: name, try: "cd " + state + "; " + try, root: root, undo: undo, harmless: true, refusal: refusal}
	}
	restored := func(undo string) string {
		return "cd " + state + "; " + undo + "; rm -rf kept"
	}
	return []attempt{
		own("the public receipt key is a link, the key is gone, root sets up", `mkdir -p kept; mv receipt_key receipt_key.pub kept; ln -s /root/private receipt_key.pub`, setUp,
			restored("mv -f kept/* ."), "receipt_key"),
		own("the name that setup stages under is a link", `mkdir -p kept; mv receipt_key receipt_key.pub kept; ln -s /root/private .receipt_key.rp-agent-new; ln -s /root/private .receipt_key.pub.rp-agent-new`, setUp,
			restored("mv -f kept/* ."), "receipt_key"),
		own("the key is a link to root's file, and root looks (setup, doctor)", `mkdir -p kept; mv receipt_key kept; ln -s /root/private receipt_key`, setUp+"; rp-agent doctor",
			restored("mv -f kept/* ."), "receipt"),
		own("the audit is a link to root's file, and an action is noted", `mkdir -p kept; mv audit.jsonl kept; ln -s /root/private audit.jsonl`,
			`rp-agent rpc <<<'{"id":1,"protocol":1,"op":"lease","environment":"preprod","args":{"purpose":"restart"}}' | tail -1`,
			restored("mv -f kept/* ."), `"storage"`, "too many levels"),
		own("the audit is a pipe, and root verifies it", `mkdir -p kept; mv audit.jsonl kept; mkfifo audit.jsonl`, `timeout 10 rp-agent audit verify`,
			restored("mv -f kept/* ."), "is no plain file"),
		own("every state file is another name of root's file", `ln /root/open/private jobs/x 2>&1 || ln /etc/shadow x 2>&1 || true`, "", "", "not permitted", denied),
		own("the state folder belongs to another group, so that systemd mends it and all below", `ln -s /root/private planted; ln -s /etc planted-folder; chmod 0777 .`,
			`chgrp systemd-journal `+state+`; rp-agent status | head -1; stat -c '%a %U:%G' `+state, "cd "+state+"; rm -f planted planted-folder; chmod 0700 .; chgrp rp-agent .", "700 rp-agent:rp-agent"),
		own("systemd-tmpfiles comes to prune specs, and there are links and old names", `cd `+specs+`; ln -s /root/private old.json; ln -s /root old-folder; touch -h -d 2020-01-01 old.json old-folder`,
			`systemd-tmpfiles --create --clean /etc/tmpfiles.d/rp-agent.conf; ls /root/private`, `rm -rf `+specs+`/old*`, "/root/private"),
		own("a spec is a link to root's file", `ln -s /root/private `+specs+`/planted1.json`, startAgain("planted1"), "rm -f "+specs+"/planted1.json", "cannot open"),
		own("a spec is a pipe", `mkfifo `+specs+`/planted2.json`, startAgain("planted2"), "rm -f "+specs+"/planted2.json", "may not be believed"),
		own("a spec names an option as a value", `cat >`+specs+`/planted3.json <<<'{"version":1,"content":{"step":{"origin":{"id":1,"name":"A"},"destination":{"id":2,"name":"B"},"field":"x","value":"y\n--noField"},"dry_run":true}}'; chmod 0644 `+specs+`/planted3.json`,
			startAgain("planted3"), "rm -f "+specs+"/planted3.json", "the spec is refused"),
		own("a spec with a command line of its own", `cat >`+specs+`/planted4.json <<<'{"version":1,"content":{"argv":["/usr/bin/id"]}}'; chmod 0644 `+specs+`/planted4.json`,
			startAgain("planted4"), "rm -f "+specs+"/planted4.json", "cannot read the spec", "the spec is refused"),
	}
}

// ownRuns are real runs that nobody asked for, by the agent's own user, who may write specs and start the unit.
func ownRuns() []attempt {
	const (
		step  = `{"origin":{"id":1,"name":"A"},"destination":{"id":2,"name":"B"},"no_field":true}`
		start = `{"id":"ownjob00001","kind":"apply","plan":{"version":1,"ticket":"t","centre":"c","groups":[{"name":"","steps":[` + step + `]}]}}`
	)
	run := func(carried string) string {
		return `id=$(printf 'ownjob00001/real/1.1' | sha256sum | cut -c1-32); now=$(date -u +%FT%TZ); rm -f ` + specs + `/$id.json
cat >` + specs + `/$id.json <<<'{"version":1,"content":{"step":` + step + `,"dry_run":false` + carried + `}}'; sed -i "s/NOW/$now/g" ` + specs + `/$id.json; chmod 0644 ` + specs + `/$id.json
systemctl --no-ask-password start --wait rp-agent-console@$id; cat /var/lib/rp-agent-console/output/$id.*; rm -f ` + specs + `/$id.json`
	}
	again := strings.ReplaceAll(run(`,"carried":{"start":`+start+`,"operator":"alice@laptop","created":"NOW","step":"1.1","simulation":{"namespace":"simulation@rpctl","body":"{}","signature":""}}`),
		"ownjob00001", "ownjob00002")
	return []attempt{
		{name: "a real run of its own", try: run(""), harmless: true, refusal: []string{"the real run is refused: nothing that was signed comes along"}},
		{name: "a real run with papers of its own", try: again, harmless: true, refusal: []string{"the real run is refused: cannot apply the plan: gate"}},
		{name: "a run that no job started, and root asks the doctor", try: "echo begun", harmless: true, root: `rp-agent doctor`, refusal: []string{"were started by no job of this host"}},
	}
}

func startAgain(id string) string {
	return `systemctl start --wait rp-agent-console@` + id + `; cat /var/lib/rp-agent-console/output/` + id + `.*`
}
