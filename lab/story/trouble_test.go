package story

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/re-connect/rpctl/lab"
	"github.com/re-connect/rpctl/lab/labtest"
	"github.com/re-connect/rpctl/proto"
)

// refused: the controller and the host say no before anything is changed.
func refused(t *testing.T, s *stage) {
	before, release := invocations(t, s.preprod), labtest.On(t, s.preprod, "readlink", lab.AppPath+"/current")
	s.Rpctl(t, 2, "deploy", "--env", "prepod").Failure(t, "bad_input", "preprod", "prod")

	edited := filepath.Join(s.WorkTree(), "deploy.php")
	original, err := os.ReadFile(edited)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(edited, append(original, "// for preprod\n"...), 0o644); err != nil {
		t.Fatal(err)
	}
	s.Rpctl(t, 4, "deploy", "--env", "preprod").Failure(t, "refused", "deploy.php")
	if err := os.WriteFile(edited, original, 0o644); err != nil {
		t.Fatal(err)
	}

	// Somebody lists prod's host under preprod: the host itself knows better.
	crossed := s.withInventory(t, func(toml string) string {
		return strings.NewReplacer(`"rp-preprod"`, `"rp-prod-direct"`).Replace(toml)
	})
	crossed.Rpctl(t, 4, "deploy", "--env", "preprod").Failure(t, "refused", `environment "prod", not to "preprod"`)

	if got := invocations(t, s.preprod); got != before {
		t.Errorf("workers were touched:\n%s", differ(before, got))
	}
	if got := labtest.On(t, s.preprod, "readlink", lab.AppPath+"/current"); got != release {
		t.Errorf("current went from %s to %s", release, got)
	}
}

// withInventory is the same stage with another hosts.toml.
func (s *stage) withInventory(t *testing.T, change func(string) string) *stage {
	t.Helper()
	data, err := os.ReadFile(s.Inventory)
	if err != nil {
		t.Fatal(err)
	}
	changed := change(string(data))
	if changed == string(data) {
		t.Fatal("the inventory has nothing of what was to be changed")
	}
	// Beside the real one, since it may name files that are beside it.
	file, err := os.CreateTemp(s.Dir, "hosts-*.toml")
	if err != nil {
		t.Fatal(err)
	}
	_, err = file.WriteString(changed)
	if err := errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
	other := *s
	other.Inventory = file.Name()
	return &other
}

// workersInTrouble: each kind of trouble gets its own verdict, all in one restart.
func workersInTrouble(t *testing.T, s *stage) {
	const crashing, limited, deaf, masked = "messenger_worker_async@1", "messenger_worker_async@2", "messenger_worker_dmp@1", lab.Idle
	h := s.preprod
	drop := func(unit, text string) {
		labtest.Put(t, h, "/etc/systemd/system/"+unit+".service.d/trouble.conf", text)
	}
	drop(limited, "[Unit]\nStartLimitBurst=2\nStartLimitIntervalSec=60\n[Service]\nRestartSec=0\n")
	drop(deaf, "[Service]\nTimeoutStopSec=2\n")
	labtest.On(t, h, "systemctl", "daemon-reload")
	labtest.Fault(t, h, limited, "crash")
	labtest.Fault(t, h, deaf, "deaf")
	labtest.On(t, h, "systemctl", "restart", limited+".service", deaf+".service")
	labtest.Eventually(t, 2*time.Minute, func() error {
		if result := labtest.Property(t, h, limited, "Result"); result != "start-limit-hit" && labtest.Property(t, h, limited, "ActiveState") != "failed" {
			return errors.New("the worker is not start-limited, but " + result)
		}
		return nil
	})
	waitUntilDeaf(t, h)
	labtest.Fault(t, h, limited, "none") // the next start is good, if systemd allows it
	labtest.Fault(t, h, deaf, "none")
	labtest.Fault(t, h, crashing, "crash")
	labtest.On(t, h, "systemctl", "mask", masked+".service")

	out := s.Rpctl(t, 1, "restart", "--env", "preprod")
	verdicts := map[string]*proto.UnitVerdict{}
	for _, e := range out.Of("verdict") {
		verdicts[strings.TrimSuffix(e.Verdict.Unit, ".service")] = e.Verdict
	}
	for unit, want := range map[string]proto.Verdict{
		crashing: proto.VerdictCrashLoop, limited: proto.VerdictProved,
		deaf: proto.VerdictKilled, masked: proto.VerdictFailed,
	} {
		if got := verdicts[unit]; got == nil || got.Verdict != want {
			t.Errorf("%s: verdict %+v, want %q", unit, got, want)
		}
	}
	if t.Failed() {
		t.Fatal(out.Describe())
	}
	if !strings.Contains(string(verdicts[masked].Why), "masked") {
		t.Errorf("of the masked unit it is said %q", verdicts[masked].Why)
	}
	if !verdicts[deaf].NewCode {
		t.Error("the new process of the worker that was killed is not said to run the new code")
	}
	if last := verdicts[crashing].Journal; len(last) == 0 || !strings.Contains(journalText(last), "made to fail by the lab") {
		t.Errorf("the last lines of the crash loop are %q", journalText(last))
	}
	out.Failure(t, "failed", "crash loop", "rpctl logs --env preprod")
	// The count begins anew with a restart: what failed before is not held against the new code.
	if n := labtest.Property(t, h, limited, "NRestarts"); n != "0" {
		t.Errorf("NRestarts of the worker that was start-limited is %s", n)
	}
	if status := s.status(t, 1, "preprod"); len(status.Problems) == 0 {
		t.Error("the status of a host in trouble names no problem")
	}
	mended(t, s, crashing, masked)
}

// mended: when the cause is gone, one restart brings all workers back.
func mended(t *testing.T, s *stage, crashing, masked string) {
	t.Helper()
	labtest.Fault(t, s.preprod, crashing, "none")
	labtest.On(t, s.preprod, "systemctl", "unmask", masked+".service")
	// Masking took the place of nothing: the link that enables the instance is still there.
	labtest.On(t, s.preprod, "sh", "-c", "rm -r /etc/systemd/system/*.service.d/trouble.conf")
	labtest.On(t, s.preprod, "systemctl", "daemon-reload")
	proved(t, s.Rpctl(t, 0, "restart", "--env", "preprod"), preprodUnits)
	for _, unit := range preprodUnits {
		if n := labtest.Property(t, s.preprod, unit, "NRestarts"); n != "0" {
			t.Errorf("NRestarts of %s is %s", unit, n)
		}
	}
	s.status(t, 0, "preprod")
}

// waitUntilDeaf gives the deaf worker a message: it ignores SIGTERM from then on.
func waitUntilDeaf(t *testing.T, h *lab.Host) {
	t.Helper()
	if _, err := h.RunAs(t.Context(), "app", lab.AppPath+"/current/bin/console", "app:send", "dmp", "deaf", "0.1"); err != nil {
		t.Fatal(err)
	}
	labtest.WaitForLine(t, h, "done.log", "deaf ")
}

func journalText(lines []proto.LogLine) string {
	var all []string
	for _, line := range lines {
		all = append(all, string(line.Message))
	}
	return strings.Join(all, "\n")
}

// polkitGone: without its rule the host refuses, clearly, and doctor says what to do.
func polkitGone(t *testing.T, s *stage) {
	const rule = "/etc/polkit-1/rules.d/60-rp-agent.rules"
	before := invocations(t, s.preprod)
	labtest.On(t, s.preprod, "mv", rule, "/root/rule")
	labtest.Eventually(t, 2*time.Minute, func() error { // polkit notices its folder's changes by itself
		out := s.Start(t, "restart", "--env", "preprod").Wait(t)
		if out.Exit != 8 {
			before = invocations(t, s.preprod)
			return errors.New("the restart is not refused:\n" + out.Describe())
		}
		out.Failure(t, "host_failed", "polkit", "no rule", "rpctl agent install")
		return nil
	})
	if got := invocations(t, s.preprod); got != before {
		t.Errorf("workers were touched:\n%s", differ(before, got))
	}
	out := s.Rpctl(t, 1, "doctor", "--env", "preprod")
	var failed []string
	for _, e := range out.Of("check") {
		if !e.Check.OK {
			failed = append(failed, string(e.Check.Name)+": "+string(e.Check.Detail)+" -> "+e.Check.Fix)
		}
	}
	if said := strings.Join(failed, "\n"); !strings.Contains(said, "polkit rule: no rule") || !strings.Contains(said, " agent install --env preprod") {
		t.Errorf("doctor says:\n%s", said)
	}
	labtest.On(t, s.preprod, "mv", "/root/rule", rule)
	labtest.Eventually(t, 2*time.Minute, func() error {
		if out := s.Start(t, "doctor", "--env", "preprod").Wait(t); out.Exit != 0 {
			return errors.New(out.Describe())
		}
		return nil
	})
}

// diskFull: a host that cannot remember changes nothing.
func diskFull(t *testing.T, s *stage) {
	const state = "/var/lib/rp-agent"
	labtest.On(t, s.preprod, "mount", "-t", "tmpfs", "-o", "size=64k,mode=0700,uid=rp-agent,gid=rp-agent", "tmpfs", state)
	unmount := func() { labtest.On(t, s.preprod, "umount", state) }
	defer func() { unmount() }()
	labtest.On(t, s.preprod, "sh", "-c", "dd if=/dev/zero of="+state+"/full bs=4096 2>/dev/null; df "+state)
	before, release := invocations(t, s.preprod), labtest.On(t, s.preprod, "readlink", lab.AppPath+"/current")
	s.Rpctl(t, 8, "deploy", "--env", "preprod").Failure(t, "host_failed", "no space left", "rp-agent doctor")
	if got := invocations(t, s.preprod); got != before {
		t.Errorf("workers were touched:\n%s", differ(before, got))
	}
	if got := labtest.On(t, s.preprod, "readlink", lab.AppPath+"/current"); got != release {
		t.Errorf("current went from %s to %s", release, got)
	}
	unmount()
	unmount = func() {}
	s.status(t, 0, "preprod") // and nobody holds the host
	if out, err := s.ssh(t, "rp-preprod", "rp-agent audit verify"); err != nil {
		t.Errorf("the audit: %v\n%s", err, out)
	}
}
