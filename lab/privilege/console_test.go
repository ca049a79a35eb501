package privilege

import (
	"context"
	"fmt"
)

const attemptPath = "/usr/local/lib/attempt.sh"

// consoleCommand is the application's console as rp-agent-console@.service runs it, turned hostile.
func consoleCommand() siege {
	return siege{"The console command itself",
		"PHP as rp-agent-console@.service starts it, from a release whose bin/console does what the attempt says.",
		func(ctx context.Context, s *stage, script string) (string, error) {
			s.runs++
			return s.host.Run(ctx, "bash", "-c", "cd /; exec 2>&1; "+startConsole(fmt.Sprintf("attempt%03d", s.runs), script)+"; exit 1")
		}, slicesOf(sandbox(), leftBehind())}
}

// sandbox is what the unit keeps from it. lab/migration asks the same of a real plan's command.
func sandbox() []attempt {
	no := []string{denied, "No such file", "not permitted", "cannot access", "Read-only file system", "cannot open"}
	return []attempt{
		{name: "the bus", try: `busctl list`, refusal: append([]string{"Failed to connect"}, no...)},
		{name: "restart a worker", try: `systemctl --no-ask-password restart messenger_worker_async@1.service`, refusal: append([]string{"Failed to connect"}, no...)},
		{name: "the manager's private socket", try: `perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new("/run/systemd/private") or die "$!\n"'`, refusal: append([]string{"Connection refused"}, no...)},
		{name: "the agent's socket", try: `rp-agent status`, refusal: []string{"cannot", "permission denied"}},
		{name: "the agent's socket, without our program", try: `perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new("/run/rp-agent.sock") or die "$!\n"; print "GOT IN"'`, refusal: no},
		{name: "the agent's state", try: `ls /var/lib/rp-agent; cat /var/lib/rp-agent/receipt_key`, refusal: no},
		{name: "outputs and ends", try: `ls /var/lib/rp-agent-console/output /var/lib/rp-agent-console/ends /var/lib/rp-agent-console/specs`, refusal: no},
		{name: "read its own output again", try: `head -c 1 /proc/self/fd/1 && echo GOT IN`, refusal: no},
		{name: "record its own end", try: `SERVICE_RESULT=success EXIT_CODE=exited EXIT_STATUS=0 rp-agent console-end abcdefgh`, refusal: append([]string{"permission denied"}, no...)},
		{name: "change its release", try: `touch ` + www + `/releases/1/pwned ` + www + `/pwned; ln -sfn releases/2 ` + www + `/current`, refusal: []string{"Read-only file system"}},
		{name: "let itself in by SSH", try: `echo x >>/home/app/.ssh/authorized_keys`, refusal: no},
		{name: "write to a login's .bashrc", try: `echo x >>/home/app/.bashrc && test -s /home/app/.profile && echo GOT IN; touch /home/app/x`, refusal: no},
		{name: "other homes", try: `ls /home/admin /root`, refusal: no},
		{name: "other processes", try: `ls -d /proc/1; cat /proc/1/cmdline`, refusal: no},
		{name: "what others have in /tmp", try: `ls -A /tmp; ls /tmp/.X11-unix; touch /var/tmp/systemd-private-x/pwned`, refusal: no},
		{name: "sudo", try: `sudo -n id`, refusal: []string{"no new privileges"}},
		{name: "su", try: `su root -c id </dev/null`, refusal: []string{"Authentication failure", "must be run from a terminal", "cannot set", "Critical error", "not permitted"}},
		{name: "a user namespace", try: `unshare -Ur id`, refusal: no},
		{name: "a mount", try: `mount -t tmpfs x /tmp`, refusal: append([]string{"must be superuser", "permission"}, no...)},
		{name: "a setuid file", try: `cp /bin/true ` + www + `/shared/var/x; chmod u+s ` + www + `/shared/var/x; rm -f ` + www + `/shared/var/x`, refusal: no},
		{name: "a device", try: `mknod /tmp/sda b 8 0; cat /dev/sda /dev/mem /dev/kmsg`, refusal: no},
		{name: "the kernel's log", try: `dmesg`, refusal: append([]string{"dmesg: "}, no...)},
		{name: "a raw socket", try: `perl -MSocket -e 'socket(S, PF_INET, SOCK_RAW, 1) or die "$!\n"; print "GOT IN"'`, refusal: no},
		{name: "a packet socket", try: `perl -e 'socket(S, 17, 3, 768) or die "$!\n"; print "GOT IN"'`, refusal: append([]string{"not supported"}, no...)},
		{name: "the host's addresses and routes (netlink)", try: `perl -e 'socket(S, 16, 3, 0) or die "$!\n"; print "GOT IN"'`, refusal: append([]string{"not supported"}, no...)},
		{name: "the clock", try: `date -s 2030-01-01`, refusal: no},
		{name: "the host's name", try: `hostname pwned`, refusal: append([]string{"must be root", "you must be"}, no...)},
		{name: "a core dump", try: `ulimit -c unlimited`, refusal: no},
		{name: "the scheduler", try: `chrt -f 10 true`, refusal: no},
		{name: "tracing another process", try: `perl -e 'syscall(101, 16, 1, 0, 0) == 0 or die "$!\n"; print "GOT IN"'`, refusal: no},
	}
}

// leftBehind is what it might leave running, or reach of what runs.
func leftBehind() []attempt {
	return []attempt{
		{name: "kill the runner and the instances", first: `(sleep 3 | rp-agent rpc) >/dev/null 2>&1 & until pgrep -u rp-agent >/usr/local/lib/attempt.pids; do sleep 0.02; done`, try: `kill -9 $(cat /usr/local/lib/attempt.pids) && echo GOT IN`, refusal: []string{"Operation not permitted", "No such process"}},
		{name: "leave a process behind", try: `setsid nohup sleep 4711 >/dev/null 2>&1 & disown; echo begun`, refusal: []string{"begun"}, root: `pgrep -f 'sleep 471[1]' && echo GOT IN`},
		{name: "be started a second time", try: `echo begun`, root: `systemctl start rp-agent-console@attempt001`, refusal: []string{"ssertion failed"}},
	}
}
