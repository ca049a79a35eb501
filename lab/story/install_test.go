package story

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/lab/labtest"
)

const agentPath = "/usr/local/bin/rp-agent"

// agent is `rpctl agent VERB` over a normal login that may use sudo.
func (s *stage) agent(t *testing.T, want int, verb, env string, more ...string) labtest.Outcome {
	t.Helper()
	return s.Rpctl(t, want, append([]string{"agent", verb, "--env", env, "--login", "admin"}, append(unreviewed(verb), more...)...)...)
}

// unreviewed is what a verb that changes hosts needs: the lab's hosts.toml is in no work tree.
func unreviewed(verb string) []string {
	if verb == "diff" {
		return nil
	}
	return []string{"--unreviewed", "a lab"}
}

// changes is what an install would do, or has done.
func changes(t *testing.T, o labtest.Outcome) []string {
	t.Helper()
	reports := o.Of("setup")
	if len(reports) == 0 {
		t.Fatalf("no setup event:\n%s", o.Describe())
	}
	var all []string
	for _, c := range reports[len(reports)-1].Setup.Changes {
		all = append(all, c.Action+" "+c.Target)
	}
	return all
}

// nothingInstalled: whoever has not installed the agent is told the command.
func nothingInstalled(t *testing.T, s *stage) {
	s.Rpctl(t, 6, "status", "--env", "preprod").Failure(t, "no_agent", "rpctl agent install --env preprod")
}

func install(t *testing.T, s *stage) {
	before := files(t, s.preprod)
	shown := changes(t, s.agent(t, 0, "install", "preprod", "--dry-run"))
	if got := files(t, s.preprod); got != before {
		t.Errorf("a dry run changed files:\n%s", differ(before, got))
	}
	for _, want := range []string{"create " + agentPath, "create /etc/polkit-1/rules.d/60-rp-agent.rules", "start rp-agent.socket"} {
		if !strings.Contains(strings.Join(shown, "\n"), want) {
			t.Errorf("the dry run does not show %q, only %q", want, shown)
		}
	}
	s.agent(t, 4, "install", "preprod").Failure(t, "refused", "--yes") // nobody can be asked here
	if done := changes(t, s.agent(t, 0, "install", "preprod", "--yes")); strings.Join(done, "\n") != strings.Join(shown, "\n") {
		t.Errorf("done:\n%q\nshown before:\n%q", done, shown)
	}
	unchanged(t, s)
}

// unchanged: an install of what is there already changes nothing, file by file.
func unchanged(t *testing.T, s *stage) {
	t.Helper()
	before := files(t, s.preprod)
	if again := changes(t, s.agent(t, 0, "install", "preprod", "--yes")); len(again) > 0 {
		t.Errorf("a second install changes %q", again)
	}
	if got := files(t, s.preprod); got != before {
		t.Errorf("a second install changed files:\n%s", differ(before, got))
	}
	s.agent(t, 0, "diff", "preprod")
}

// installWithoutSFTP: an sshd without the subsystem, as behind some bastions.
func installWithoutSFTP(t *testing.T, s *stage) {
	labtest.On(t, s.prod, "sed", "-i", "/^Subsystem/d", "/etc/ssh/sshd_config")
	labtest.On(t, s.prod, "systemctl", "reload", "ssh.service")
	if out, err := s.ssh(t, "rp-prod-admin", "sftp", "-s"); err == nil {
		t.Fatalf("the subsystem is still there: %s", out)
	}
	s.agent(t, 0, "pin", "preprod", "--yes") // which prod waits for
	s.agent(t, 0, "install", "prod", "--yes")
	s.agent(t, 0, "pin", "prod", "--yes")
	if got, want := sum(t, s, labtest.Read(t, s.prod, agentPath)), sum(t, s, ""); got != want {
		t.Errorf("the host has another binary (%x) than was sent (%x)", got, want)
	}
	if left := labtest.On(t, s.prod, "find", "/home/admin", "-name", ".rpctl-*"); left != "" {
		t.Errorf("the upload was left there: %s", left)
	}
	if left := labtest.On(t, s.prod, "find", "/usr/local", "-name", "rp-agent.*"); left != "" {
		t.Errorf("root's copy was left there: %s", left)
	}
}

// sum is the hash of a content, or of the agent that was built when there is none.
func sum(t *testing.T, s *stage, content string) [sha256.Size]byte {
	t.Helper()
	if content == "" {
		data, err := os.ReadFile(filepath.Join(s.Bin, "rp-agent"))
		if err != nil {
			t.Fatal(err)
		}
		content = string(data)
	}
	return sha256.Sum256([]byte(content))
}

// spoiltBinaries: what cannot be the agent never takes the place of the one that works.
func spoiltBinaries(t *testing.T, s *stage) {
	good, err := os.ReadFile(filepath.Join(s.Bin, "rp-agent"))
	if err != nil {
		t.Fatal(err)
	}
	other := bytes.Clone(good)
	other[18], other[19] = byte(elf.EM_AARCH64), 0 // e_machine of the ELF header
	broken := bytes.Clone(good)
	for at := 4096; at < len(broken); at++ {
		broken[at] = 0 // its header is good, what follows is not
	}
	before := files(t, s.preprod)
	for name, c := range map[string]struct {
		binary []byte
		exit   int
		words  []string
	}{
		"another architecture": {other, 2, []string{"AARCH64"}},
		"truncated":            {good[:len(good)/2], 2, []string{"truncated"}},
		"does not start":       {broken, 8, nil},
	} {
		file := filepath.Join(t.TempDir(), "rp-agent")
		if err := os.WriteFile(file, c.binary, 0o755); err != nil {
			t.Fatal(err)
		}
		code := map[int]string{2: "bad_input", 8: "host_failed"}[c.exit]
		s.agent(t, c.exit, "upgrade", "preprod", "--yes", "--binary", file).Failure(t, code, c.words...)
		if got := files(t, s.preprod); got != before {
			t.Errorf("%s: files changed:\n%s", name, differ(before, got))
		}
	}
	upgradeBreaksOff(t, s, good)
	s.Rpctl(t, 0, "doctor", "--env", "preprod")
}

// upgradeBreaksOff: a host that cannot take the new binary keeps all of the old version.
func upgradeBreaksOff(t *testing.T, s *stage, good []byte) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "rp-agent")
	if err := os.WriteFile(file, append(bytes.Clone(good), "another build"...), 0o755); err != nil {
		t.Fatal(err)
	}
	labtest.On(t, s.preprod, "mount", "--bind", "-o", "ro", "/usr/local/bin", "/usr/local/bin")
	before := files(t, s.preprod)
	s.agent(t, 8, "upgrade", "preprod", "--yes", "--binary", file).Failure(t, "host_failed", "cannot copy it for root")
	labtest.On(t, s.preprod, "umount", "/usr/local/bin")
	if got := files(t, s.preprod); got != before {
		t.Errorf("an upgrade that broke off changed files:\n%s", differ(before, got))
	}
}

// changeOnHost: what somebody changed by hand is shown, and put right.
func changeOnHost(t *testing.T, s *stage) {
	const rule = "/etc/polkit-1/rules.d/60-rp-agent.rules"
	labtest.Put(t, s.preprod, "/etc/rp-agent/agent.toml", strings.Replace(
		labtest.Read(t, s.preprod, "/etc/rp-agent/agent.toml"), "messenger_worker_dmp@*", "messenger_worker_sms@*", 1))
	labtest.On(t, s.preprod, "sh", "-c", "echo // >>"+rule)
	s.Rpctl(t, 4, "deploy", "--env", "preprod").Failure(t, "refused", "messenger_worker_sms@*", "rpctl agent diff --env preprod")
	differences := strings.Join(changes(t, s.agent(t, 1, "diff", "preprod")), "\n")
	for _, file := range []string{"/etc/rp-agent/agent.toml", rule} {
		if !strings.Contains(differences, file) {
			t.Errorf("the difference in %s is not shown: %q", file, differences)
		}
	}
	s.agent(t, 4, "upgrade", "preprod", "--yes").Failure(t, "refused", "loosens what is enforced there", "rpctl agent diff --env preprod")
	s.agent(t, 0, "upgrade", "preprod", "--yes", "--allow-loosening")
	unchanged(t, s)
}

// uninstall takes everything away but the evidence; a new install goes on with it.
func uninstall(t *testing.T, s *stage) {
	key, log := labtest.Read(t, s.preprod, "/var/lib/rp-agent/receipt_key"), labtest.Read(t, s.preprod, "/var/lib/rp-agent/audit.jsonl")
	s.agent(t, 0, "uninstall", "preprod", "--yes")
	left := labtest.On(t, s.preprod, "find", "/etc", "/usr/local", "/run", "-name", "*rp-agent*", "-not", "-path", "*/rp-agent-setup.lock")
	if left = strings.TrimSpace(left); left != "" && left != "/etc/rp-agent" {
		t.Errorf("left behind:\n%s", left)
	}
	if again := changes(t, s.agent(t, 0, "uninstall", "preprod", "--yes")); len(again) > 0 {
		t.Errorf("a second uninstall changes %q", again)
	}
	s.Rpctl(t, 6, "status", "--env", "preprod").Failure(t, "no_agent", "rpctl agent install")
	s.agent(t, 0, "install", "preprod", "--yes")
	if labtest.Read(t, s.preprod, "/var/lib/rp-agent/receipt_key") != key {
		t.Error("the reinstalled host has another receipt key")
	}
	if now := labtest.Read(t, s.preprod, "/var/lib/rp-agent/audit.jsonl"); !strings.HasPrefix(now, log) {
		t.Error("the audit was not kept")
	}
	s.Rpctl(t, 0, "doctor")
	s.Rpctl(t, 0, "status")
}

// differ is the lines that two lists do not share.
func differ(before, after string) string {
	count := map[string]int{}
	for line := range strings.Lines(before) {
		count["- "+line]++
	}
	for line := range strings.Lines(after) {
		if count["- "+line] > 0 {
			count["- "+line]--
		} else {
			count["+ "+line]++
		}
	}
	var out strings.Builder
	for line, n := range count {
		out.WriteString(strings.Repeat(line, n))
	}
	return out.String()
}
