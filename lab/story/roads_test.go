package story

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/re-connect/rpctl/lab"
	"github.com/re-connect/rpctl/lab/labtest"
)

// logins counts who has logged in to a host so far, as its sshd wrote it down.
func logins(t *testing.T, h *lab.Host) int {
	t.Helper()
	return strings.Count(labtest.On(t, h, "journalctl", "-u", "ssh", "-o", "cat", "--no-pager"), "Accepted publickey")
}

// via is how doctor says that a host was reached.
func (s *stage) via(t *testing.T, env string) string {
	t.Helper()
	for _, e := range s.Rpctl(t, 0, "doctor", "--env", env).Of("check") {
		if e.Check.Name == "ssh login" {
			return string(e.Check.Detail)
		}
	}
	return ""
}

// overMaster: the developer's own ssh holds a connection, and rpctl asks for no other.
func overMaster(t *testing.T, s *stage) {
	if via := s.via(t, "preprod"); !strings.Contains(via, "jump rp-bastion") {
		t.Errorf("through the bastion, doctor says %q", via)
	}
	// It goes to the background when it is logged in; no pipe of ours may go with it.
	master := exec.CommandContext(t.Context(), "ssh", "-F", s.SSHConfig(), "-M", "-N", "-f", "-o", "ControlPersist=no", "rp-preprod")
	if err := master.Run(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if out, err := s.ssh(t, "rp-preprod", "", "-O", "exit"); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}()
	s.commit(t, "dev", "change it over a master")
	bastion := s.Host(lab.Bastion)
	atBastion, atPreprod := logins(t, bastion), logins(t, s.preprod)
	proved(t, s.Rpctl(t, 0, "deploy", "--env", "preprod"), preprodUnits)
	if via := s.via(t, "preprod"); !strings.Contains(via, "control master") {
		t.Errorf("over a master, doctor says %q", via)
	}
	if b, p := logins(t, bastion)-atBastion, logins(t, s.preprod)-atPreprod; b != 0 || p != 0 {
		t.Errorf("a deploy over a master logged in %d times at the bastion and %d times at preprod", b, p)
	}
}

func withoutBastion(t *testing.T, s *stage) {
	direct := s.withInventory(t, func(toml string) string {
		return strings.ReplaceAll(toml, `"rp-preprod"`, `"rp-preprod-direct"`)
	})
	if via := direct.via(t, "preprod"); !strings.Contains(via, "direct") {
		t.Errorf("without the bastion, doctor says %q", via)
	}
	proved(t, direct.Rpctl(t, 0, "restart", "--env", "preprod"), preprodUnits)
}

// forcedKey: the install lets a key in that can do nothing else, and a deploy needs nothing else.
func forcedKey(t *testing.T, s *stage) {
	const keys = "/home/app/.ssh/authorized_keys"
	labtest.On(t, s.preprod, "sed", "-i", "/rp-agent ssh/d", keys)
	if out, err := s.ssh(t, "rp-preprod-forced", "rp-agent version"); err == nil {
		t.Fatalf("the key is still let in: %s", out)
	}
	with := []string{"--yes", "--allow-loosening", "--forced-key", s.Dir + "/ssh/id_forced.pub", "--forced-user", "app"}
	s.agent(t, 0, "install", "preprod", with...)
	if again := changes(t, s.agent(t, 0, "install", "preprod", with...)); len(again) > 0 {
		t.Errorf("a second install changes %q", again)
	}
	if got := strings.TrimSpace(labtest.On(t, s.preprod, "stat", "-c", "%U %a", keys)); got != "app 600" {
		t.Errorf("authorized_keys is %s", got)
	}
	s.commit(t, "dev", "change it with the forced key")
	forced := s.withInventory(t, func(toml string) string {
		return strings.ReplaceAll(toml, `"rp-preprod"`, `"rp-preprod-forced"`)
	})
	proved(t, forced.Rpctl(t, 0, "deploy", "--env", "preprod"), preprodUnits)
	for _, command := range []string{
		"", "id", "rp-agent", "rp-agent setup", "rp-agent instance", "rp-agent status; id", "rp-agent status $(id)", "/bin/sh -c id",
	} {
		out, err := s.ssh(t, "rp-preprod-forced", command, "-n")
		if err == nil || strings.Contains(out, "uid=") || !strings.Contains(out, "rp-agent: this key") {
			t.Errorf("%q: %v\n%s", command, err, out)
		}
	}
	for name, options := range map[string][]string{
		"subsystem": {"-s"}, "forward": {"-W", "127.0.0.1:22"}, "terminal": {"-tt"},
	} {
		command := map[string]string{"subsystem": "sftp", "terminal": "bash"}[name]
		if out, err := s.ssh(t, "rp-preprod-forced", command, append(options, "-n")...); err == nil || strings.Contains(out, "SSH-2.0") {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// loginShells: what a login prints before the agent speaks is shown and does no harm;
// a login that may run nothing is told so.
func loginShells(t *testing.T, s *stage) {
	const rc = "/home/app/.bashrc"
	original := labtest.Read(t, s.preprod, rc)
	labtest.Put(t, s.preprod, rc, "echo 'Bienvenue \x1b[31msur preprod'\n"+original)
	out := s.Rpctl(t, 0, "restart", "--env", "preprod", "--only", "messenger_worker_dmp@*")
	proved(t, out, preprodUnits[2:3])
	warned := out.Of("warning")
	if len(warned) != 1 || !strings.Contains(warned[0].Text, "Bienvenue") || strings.Contains(warned[0].Text, "\x1b") {
		t.Errorf("the warnings are %+v", warned)
	}
	for _, e := range s.Rpctl(t, 1, "doctor", "--env", "preprod").Of("check") {
		if wrong := e.Check.Name == "login shell" && !e.Check.Skipped; wrong == e.Check.OK {
			t.Errorf("doctor says %+v", e.Check)
		}
	}
	labtest.Put(t, s.preprod, rc, original)

	labtest.On(t, s.preprod, "usermod", "--shell", "/usr/sbin/nologin", "app")
	labtest.Eventually(t, 2*time.Minute, func() error { // a connection that is still open keeps the shell that it found
		if out := s.Start(t, "status", "--env", "preprod").Wait(t); out.Exit != 6 {
			return errors.New(out.Describe())
		}
		return nil
	})
	s.Rpctl(t, 6, "status", "--env", "preprod").Failure(t, "no_agent", "not available")
	labtest.On(t, s.preprod, "usermod", "--shell", "/bin/bash", "app")
	s.status(t, 0, "preprod")
}

// reboot: a power cut in the middle of a lease leaves nothing that has to be tidied up.
func reboot(t *testing.T, s *stage) {
	waiting, _ := s.paused(t, "preprod")
	holder := waiting.Start(t, "deploy", "--env", "preprod")
	holder.Until(t, atDeploy)
	if err := errors.Join(s.preprod.PowerCut(t.Context()), s.preprod.Boot(t.Context())); err != nil {
		t.Fatal(err)
	}
	labtest.Eventually(t, 2*time.Minute, func() error { // the workers are started a little later than sshd
		if out := s.Start(t, "status", "--env", "preprod").Wait(t); out.Exit != 0 {
			return errors.New(out.Describe())
		}
		return nil
	})
	s.Rpctl(t, 0, "doctor", "--env", "preprod")
	if out, err := s.ssh(t, "rp-preprod", "rp-agent audit verify"); err != nil {
		t.Errorf("the audit: %v\n%s", err, out)
	}
	holder.Signal(t, os.Interrupt)
	if out := holder.Wait(t); out.Exit == 0 {
		t.Errorf("a deploy whose host was lost ended well:\n%s", out.Describe())
	}
	proved(t, s.Rpctl(t, 0, "restart", "--env", "preprod"), preprodUnits)
}
