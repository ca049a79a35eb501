package privilege

import (
	"context"
	"strings"
)

const (
	noShell = "this key opens no shell"
	onlyAsk = "it can only ask rp-agent"
)

// forcedKey has a key that authorized_keys binds to `rp-agent ssh`.
func forcedKey() siege {
	all := []attempt{
		{name: "a shell", try: `ssh rp-preprod-forced`, refusal: []string{noShell}},
		{name: "a shell on a terminal", try: `ssh -S none -tt rp-preprod-forced`, refusal: []string{"PTY allocation request failed"}},
		{name: "a command of 100 kB", try: `ssh rp-preprod-forced "rp-agent status $(head -c 100000 /dev/zero | tr '\0' x)"`, refusal: []string{onlyAsk}},
		{name: "a second line", try: "ssh rp-preprod-forced $'rp-agent status\\nid'", refusal: []string{onlyAsk}},
		{name: "the subsystem sftp", try: `ssh -S none -s rp-preprod-forced sftp </dev/null; echo ended with $?; exit 1`, refusal: []string{"ended with 4"}},
		{name: "a file by sftp", try: `echo 'get /etc/passwd /dev/null' | sftp -b - rp-preprod-forced`, refusal: []string{"Connection closed", "Received message too long"}},
		{name: "a file by scp", try: `scp -q /etc/hostname rp-preprod-forced:/tmp/pwned`, refusal: []string{"Connection closed", "Received message too long"}},
		{name: "a file by scp, the old way", try: `scp -O -q /etc/hostname rp-preprod-forced:/tmp/pwned`, refusal: []string{onlyAsk, "lost connection"}},
		{name: "a port of the host (-W; -D asks for the same)", try: `ssh -S none -W 127.0.0.1:22 rp-preprod-forced </dev/null`, refusal: []string{"administratively prohibited", "stdio forwarding failed"}},
		{name: "a port of the host (-L)", try: through("-L 17701:127.0.0.1:22"), refusal: []string{"administratively prohibited"}},
		{name: "the agent's socket (-L)", try: through("-L 17701:/run/rp-agent.sock"), refusal: []string{"connect failed: open failed"}},
		{name: "the bus (-L)", try: through("-L 17701:/run/dbus/system_bus_socket"), refusal: []string{"connect failed: open failed"}},
		{name: "a proxy (-D)", try: through("-D 17701"), refusal: []string{"administratively prohibited"}},
		{name: "a port of ours on the host (-R)", try: `ssh -S none -o ExitOnForwardFailure=yes -N -R 17702:127.0.0.1:22 rp-preprod-forced`, refusal: []string{"remote port forwarding failed"}},
		{name: "a socket of ours on the host (-R)", try: `ssh -S none -o ExitOnForwardFailure=yes -N -R /tmp/pwned:127.0.0.1:22 rp-preprod-forced`, refusal: []string{"remote port forwarding failed"}},
		{name: "a network device (-w)", try: `ssh -S none -o ExitOnForwardFailure=yes -o Tunnel=ethernet -w any:any -N rp-preprod-forced </dev/null`, refusal: []string{"unnel"}},
		{
			name: "our ssh-agent, an X11 display and variables of the linker and the shell",
			try: `eval "$(ssh-agent)" >/dev/null; trap 'kill $SSH_AGENT_PID' EXIT;
export DISPLAY=:7 SSH_ORIGINAL_COMMAND=id
sleep 2 | ssh -S none -A -X -o IdentityAgent="$SSH_AUTH_SOCK" -o 'SendEnv=*' -o 'SetEnv=LD_PRELOAD=/tmp/pwned.so BASH_ENV=/tmp/pwned PATH=/tmp SSH_ORIGINAL_COMMAND=id PROMPT_COMMAND=id' rp-preprod-forced rp-agent rpc & sleep 1
look 'tr "\0" "\n" </proc/$(pgrep -n -u app -x rp-agent)/environ | grep -Ec "^(LD_|BASH_ENV=|PROMPT|DISPLAY=|SSH_AUTH_SOCK=|PATH=/tmp|SSH_ORIGINAL_COMMAND=id)|pwned"'
wait; exit 1`,
			refusal: []string{"\n0\n"},
		},
		{name: "a unit outside of the list", try: lease + `ssh rp-preprod-forced rp-agent rpc <<<"$lease
{\"id\":2,\"protocol\":1,\"op\":\"restart\",\"environment\":\"preprod\",\"args\":{\"only\":[\"ssh.service\"]}}" | grep -v '"event":"done"' | tail -1; exit 1`,
			refusal: []string{`"no_units"`}, noted: true},
		{name: "the journal of a unit outside of the list", try: `ssh rp-preprod-forced rp-agent rpc <<<'{"id":1,"protocol":1,"op":"journal","environment":"preprod","args":{"only":["ssh.service"]}}' | tail -1; exit 1`,
			refusal: []string{`"no_units"`}},
	}
	for _, command := range forbiddenCommands {
		all = append(all, attempt{name: command, try: "ssh rp-preprod-forced -- " + quote(command), refusal: []string{onlyAsk}})
	}
	return siege{"The key that may only ask rp-agent",
		"The private half of a key whose line in authorized_keys begins with `restrict,command=\"/usr/local/bin/rp-agent ssh\"`; typed on the developer's machine.",
		func(ctx context.Context, s *stage, script string) (string, error) {
			return typed(ctx, s.withForcedKey()+script)
		}, all}
}

// lease is a request that holds the host, for what needs that.
const lease = `lease='{"id":1,"protocol":1,"op":"lease","environment":"preprod","args":{"purpose":"restart"}}'
`

// forbiddenCommands is what the key asks for: shells, programs, our own verbs that are not for it, and
// every way to smuggle a second command behind one that is allowed.
var forbiddenCommands = []string{
	"id", "bash -i", "sh -c id", "rp-agent", "rp-agent ssh", "rp-agent setup", "rp-agent setup --uninstall", "rp-agent instance",
	"rp-agent run abcdefgh", "rp-agent console abcdefgh", "rp-agent console-end abcdefgh", "rp-agent --help", "rp-agent status --help",
	"rp-agent status; id", "rp-agent status | id", "rp-agent status && id", "rp-agent status & id", "rp-agent $(id)", "rp-agent `id`",
	"rp-agent status > /tmp/pwned", "rp-agent rpc < /etc/passwd", "rp-agent  status", " rp-agent status", "/usr/bin/rp-agent status",
	"rp-agent jobs ../../etc", "rp-agent history -n -1", "rp-agent history -n 99999999999999999999", "-oProxyCommand=id",
	"scp -t /tmp/pwned", "/usr/lib/openssh/sftp-server", "internal-sftp", "rsync --server . /tmp", "git-upload-pack /", "systemctl restart ssh", "sudo id",
}

// through opens a forwarding, asks something through it, and shows what ssh says.
func through(option string) string {
	ask := "cat <&3"
	if strings.HasPrefix(option, "-D") { // SOCKS 5: no login, then connect to 127.0.0.1:22
		ask = `printf '\5\1\0\5\1\0\1\177\0\0\1\0\26' >&3; cat <&3 >/dev/null`
	}
	return `ssh -S none -N ` + option + ` rp-preprod-forced &
until exec 3<>/dev/tcp/127.0.0.1/17701; do sleep 0.05; done 2>/dev/null
timeout 5 bash -c ` + quote(ask) + `; kill $(jobs -p); wait; exit 1`
}

func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// withForcedKey lets ssh, scp and sftp know this lab's hosts, and gives scripts `look`: a look at the host by root.
func (s *stage) withForcedKey() string {
	return s.developerHas() + `look() { ssh rp-preprod-admin sudo bash -s <<<"$1"; }
`
}
