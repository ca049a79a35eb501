package privilege

import (
	"strings"
	"testing"
)

// seen is all of a host that no intruder may change.
type seen struct {
	host  string // files by name, type, mode, owner, size, time of change; units by invocation; users' groups
	audit string
}

// lookScript prints what must stay. The time of an inode's change (ctime) cannot be set by anybody, so a
// file that was changed and put back is seen as well; what application and rp-agent own, their users may
// change by right, and put back here: that is compared by content, or by length.
const lookScript = `
find /etc /root /usr/local /usr/bin /usr/lib/systemd /var/lib/rp-agent /var/lib/rp-agent-console /var/spool /var/tmp /run/systemd/system \
  /home/admin /home/app/.ssh /home/app/www -path /home/app/www/shared -prune -o -path /home/app/www/current -prune -o -name audit.jsonl -prune -o -name 'attempt*' -prune -o \
  -path '/var/tmp/systemd-private-*' -prune -o -path /var/tmp -prune -o -path /var/lib/rp-agent-console/specs -prune -o -path /var/lib/rp-agent-console/output -prune -o -path /var/lib/rp-agent-console/ends -prune -o -path /var/lib/rp-agent/places -prune -o -path /var/lib/rp-agent/refused -prune -o \
  -type d -printf '%p %y %m %U:%G\n' -o '(' -user app -o -user rp-agent ')' -printf '%p %y %m %U:%G %s %l\n' -o -printf '%p %y %m %U:%G %s %C@ %l\n' | sort
readlink /home/app/www/current
ls -A /run/systemd/transient | grep -v '^session-'
ls -A /run /tmp /var/tmp | grep -v systemd-private | grep -E 'pwned|agent|X11-unix'
systemctl show -p Id,InvocationID,ActiveState,NRestarts 'messenger_worker*' ssh.service dbus.service systemd-journald.service rp-agent.socket multi-user.target
find /var/lib/rp-agent -path /var/lib/rp-agent/places -prune -o -path /var/lib/rp-agent/refused -prune -o -type f -not -name audit.jsonl -exec sha256sum {} + | sort
getent group; getent passwd
cat /proc/sys/kernel/random/boot_id
`

func (s *stage) look(t *testing.T) seen {
	t.Helper()
	return seen{s.on(t, "bash", "-c", lookScript), s.on(t, "cat", "/var/lib/rp-agent/audit.jsonl")}
}

// compare fails the test for what differs. The audit may have grown where that is right, but only at its end.
func (now seen) compare(t *testing.T, before seen, noted bool) {
	t.Helper()
	if now.host != before.host {
		t.Errorf("the host is not what it was:\n%s", differ(before.host, now.host))
	}
	grown, kept := strings.CutPrefix(now.audit, before.audit)
	if !kept {
		t.Error("the audit was changed")
	}
	if (grown != "") != noted {
		t.Errorf("new in the audit: %q", grown)
	}
}

// differ is the lines that two texts do not share.
func differ(before, after string) string {
	count := map[string]int{}
	for line := range strings.Lines(before) {
		count[line]--
	}
	for line := range strings.Lines(after) {
		count[line]++
	}
	var out strings.Builder
	for line, n := range count {
		switch {
		case n < 0:
			out.WriteString("- " + line)
		case n > 0:
			out.WriteString("+ " + line)
		}
	}
	return out.String()
}
