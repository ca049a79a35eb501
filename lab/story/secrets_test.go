package story

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/lab"
	"github.com/re-connect/rpctl/lab/labtest"
)

const (
	sudoPassword = "sudo-horse-4714"
	mistyped     = "the-mail-password-4715" // what is typed by mistake is as secret
	asksSudo     = "password for sudo on rp-preprod: "
)

// passwordForSudo: the password of an admin whose sudo wants one is found nowhere on the host, nor on the terminal,
// whether it is right, wrong or taken back. While sudo has it, PAM lets a script look at all processes.
func passwordForSudo(t *testing.T, s *stage) {
	const rule, pam = "/etc/sudoers.d/admin", "/etc/pam.d/sudo"
	freely, session := labtest.Read(t, s.preprod, rule), labtest.Read(t, s.preprod, pam)
	labtest.Put(t, s.preprod, "/root/marks", sudoPassword+"\n"+mistyped+"\n")
	labtest.Put(t, s.preprod, "/root/look", "#!/bin/sh\nfor f in /proc/[0-9]*/cmdline /proc/[0-9]*/environ; do tr '\\0' ' ' <$f; echo; done >>/root/seen 2>/dev/null\n")
	labtest.On(t, s.preprod, "sh", "-c", "chmod 700 /root/look; (printf admin:; head -n 1 /root/marks) | chpasswd")
	labtest.Put(t, s.preprod, pam, session+"session optional pam_exec.so quiet seteuid /root/look\n")
	labtest.Put(t, s.preprod, rule, "admin ALL=(ALL:ALL) ALL\n")
	defer labtest.Put(t, s.preprod, rule, freely)
	defer labtest.Put(t, s.preprod, pam, session)
	defer labtest.On(t, s.preprod, "rm", "-f", "/root/marks", "/root/seen")
	for _, c := range []struct {
		name, keys string
		exit       int
		shown      string
	}{
		{"wrong", mistyped + "\n", 4, "sudo refused"},
		{"taken back", sudoPassword + labtest.CtrlC, 130, "interrupted"},
		{"right", sudoPassword + "\n", 0, "nothing to change"},
	} {
		terminal := labtest.OnTerminal(t, s.WorkTree(), []string{"USER=developer"}, filepath.Join(s.Bin, "rpctl"), "agent", "install", "--env", "preprod", "--login", "admin",
			"--yes", "--unreviewed", "a lab", "--ssh-config", s.SSHConfig(), "--hosts", s.Inventory)
		status, shown := terminal.Until(asksSudo).Type(c.keys).End()
		if status.ExitStatus() != c.exit || !strings.Contains(shown, c.shown) {
			t.Errorf("%s: exit %d, want %d:\n%s", c.name, status.ExitStatus(), c.exit, shown)
		}
		for _, secret := range []string{sudoPassword, mistyped} {
			if strings.Contains(shown, secret) {
				t.Errorf("%s: the terminal shows %s", c.name, secret)
			}
		}
	}
	if seen := labtest.Read(t, s.preprod, "/root/seen"); !strings.Contains(seen, "sudo -k -S -p : /usr/local/bin/rp-agent.rpctl-") || !strings.Contains(seen, "setup --json") {
		t.Errorf("nobody looked at the processes:\n%.2000s", seen)
	}
	onHost(t, s.preprod, "/root/marks")
}

// receiptKeyStays: the key that signs receipts is in the state folder, and in no journal, audit, answer or process.
func receiptKeyStays(t *testing.T, s *stage) {
	labtest.On(t, s.preprod, "sh", "-c", "sed -n 5p /var/lib/rp-agent/receipt_key >/root/marks; /root/look")
	if got := strings.TrimSpace(labtest.On(t, s.preprod, "stat", "-c", "%U %a", "/var/lib/rp-agent/receipt_key")); got != "rp-agent 600" {
		t.Errorf("the receipt key is %s", got)
	}
	if len(strings.TrimSpace(labtest.Read(t, s.preprod, "/root/marks"))) < 40 {
		t.Fatal("that is no key")
	}
	onHost(t, s.preprod, "/root/marks", "/var/lib/rp-agent/receipt_key")
	for _, unit := range []string{"rp-agent@x.service", "rp-agent-run@abcdefgh.service", "rp-agent-console@abcdefgh.service"} {
		if limit := labtest.Property(t, s.preprod, unit, "LimitCORE"); limit != "0" {
			t.Errorf("%s may leave a core of %s bytes", unit, limit)
		}
	}
}

// onHost fails the test for a file of the host, or its journal, that has one of the secrets of a file.
func onHost(t *testing.T, h *lab.Host, marks string, but ...string) {
	t.Helper()
	found := labtest.On(t, h, "sh", "-c", "grep -rlaFs -f "+marks+" /etc /home /root /run /tmp /var/lib /var/log /var/tmp /dev/shm || true; journalctl -o export --no-pager | grep -aF -f "+marks+" | head -c 2000")
	for name := range strings.Lines(found) {
		name = strings.TrimSpace(name)
		ours := name == marks
		for _, file := range but {
			ours = ours || name == file
		}
		if !ours && name != "" {
			t.Errorf("found on the host: %s", name)
		}
	}
	if !strings.Contains(found, marks) {
		t.Errorf("nothing was looked for: %q", found)
	}
}
