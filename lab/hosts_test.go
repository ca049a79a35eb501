package lab_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/re-connect/rpctl/lab"
	"github.com/re-connect/rpctl/lab/labtest"
)

// TestHosts holds the lab to what other tests take for granted.
func TestHosts(t *testing.T) {
	labtest.EachSuite(t, func(t *testing.T, suite lab.Suite) {
		l := labtest.Up(t, lab.Options{Slot: lab.SlotTest, Suite: suite})
		t.Run("systemd", func(t *testing.T) { systemdVersion(t, l) })
		t.Run("workers", func(t *testing.T) { workersRun(t, l) })
		t.Run("ssh", func(t *testing.T) { sshAliases(t, l) })
		t.Run("message", func(t *testing.T) { messageIsFinished(t, l) })
		t.Run("faults", func(t *testing.T) { faultsWork(t, l) })
		t.Run("deploy", func(t *testing.T) { deploySwitches(t, l) })
		t.Run("deploy fails", func(t *testing.T) { deployFails(t, l) })
		t.Run("second lab", func(t *testing.T) { secondLabRefused(t, l) })
		t.Run("power cut", func(t *testing.T) { powerCut(t, l) })
	})
}

func systemdVersion(t *testing.T, l *lab.Lab) {
	want := map[lab.Suite]string{lab.Bookworm: "systemd 252", lab.Trixie: "systemd 257"}[l.Suite]
	for _, h := range l.Hosts() {
		if got := labtest.On(t, h, "systemctl", "--version"); !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %q, want %s", h.Role, got, want)
		}
	}
}

func workersRun(t *testing.T, l *lab.Lab) {
	for role, units := range map[lab.Role][]string{
		lab.Preprod: {"messenger_worker_async@1", "messenger_worker_async@2", "messenger_worker_dmp@1"},
		lab.Prod:    {"messenger_worker@1", "messenger_worker@2"},
	} {
		for _, unit := range units {
			if got := labtest.Property(t, l.Host(role), unit, "SubState"); got != "running" {
				t.Errorf("%s on %s is %s", unit, role, got)
			}
		}
	}
	preprod := l.Host(lab.Preprod)
	if enabled := strings.TrimSpace(labtest.On(t, preprod, "systemctl", "is-enabled", lab.Idle)); enabled != "enabled" {
		t.Errorf("the idle worker is %s", enabled)
	}
	if got := labtest.Property(t, preprod, lab.Idle, "ActiveState"); got != "inactive" {
		t.Errorf("the idle worker is %s", got)
	}
}

func sshAliases(t *testing.T, l *lab.Lab) {
	for _, c := range []struct{ alias, command, want, fails string }{
		{"rp-preprod", "hostname; id -un", "preprod\napp\n", ""},
		{"rp-prod", "hostname; id -un", "prod\nalice\n", ""},
		{"rp-prod-app", "id -un", "app\n", ""},
		{"rp-prod-direct", "hostname", "prod\n", ""},
		{"rp-preprod-admin", "sudo id -un", "root\n", ""},
		{"rp-preprod-forced", "id", "", "rp-agent"}, // whatever is asked, rp-agent is what runs
		{"rp-bastion", "id", "This account is currently not available.\n", "exit status 1"},
	} {
		got, err := l.SSH(t.Context(), c.alias, c.command)
		if (err != nil) != (c.fails != "") || (err != nil && !strings.Contains(err.Error(), c.fails)) {
			t.Errorf("%s: error %v, want one with %q", c.alias, err, c.fails)
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.alias, got, c.want)
		}
	}
	passed := labtest.On(t, l.Host(lab.Bastion), "journalctl", "-u", "ssh", "-o", "cat", "--no-pager")
	if n := strings.Count(passed, "Accepted publickey for jump"); n != 6 { // all but -direct
		t.Errorf("%d connections to the bastion, want 6:\n%s", n, passed)
	}
}

// messageIsFinished: a worker that is restarted ends the message in hand first.
func messageIsFinished(t *testing.T, l *lab.Lab) {
	h := l.Host(lab.Preprod)
	before := labtest.Property(t, h, "messenger_worker_dmp@1", "InvocationID")
	send(t, h, "dmp", "slow", "1.5")
	labtest.WaitForLine(t, h, "begun.log", "slow ")
	labtest.On(t, h, "systemctl", "restart", "messenger_worker_dmp@1.service")
	if done := labtest.On(t, h, "cat", lab.AppPath+"/shared/done.log"); !strings.Contains(done, "slow ") {
		t.Errorf("the message was cut off: done.log says %q", done)
	}
	if after := labtest.Property(t, h, "messenger_worker_dmp@1", "InvocationID"); after == before {
		t.Error("the worker was not restarted")
	}
}

// faultsWork: the knobs make workers crash, and ignore SIGTERM until they are killed.
func faultsWork(t *testing.T, l *lab.Lab) {
	h := l.Host(lab.Preprod)
	const crashing, deaf = "messenger_worker_async@1", "messenger_worker_async@2"
	labtest.Fault(t, h, crashing, "crash")
	labtest.Fault(t, h, deaf, "deaf")
	labtest.On(t, h, "systemctl", "restart", crashing+".service", deaf+".service")
	labtest.Eventually(t, 2*time.Minute, func() error {
		if n := labtest.Property(t, h, crashing, "NRestarts"); n == "0" {
			return errors.New("the worker does not crash")
		}
		return nil
	})
	labtest.Eventually(t, 2*time.Minute, func() error { // only then has it set its handlers
		if log := labtest.On(t, h, "journalctl", "-u", deaf, "-o", "cat", "-n", "20"); !strings.Contains(log, "Consuming messages") {
			return errors.New("the worker does not start")
		}
		return nil
	})
	send(t, h, "async", "heard", "0.1")
	labtest.WaitForLine(t, h, "done.log", "heard ")
	labtest.Fault(t, h, deaf, "none")
	labtest.On(t, h, "systemctl", "stop", deaf+".service")
	if result := labtest.Property(t, h, deaf, "Result"); result != "timeout" {
		t.Errorf("the deaf worker ended with %q, want timeout", result)
	}
	labtest.Fault(t, h, crashing, "none")
	labtest.On(t, h, "systemctl", "reset-failed")
	labtest.On(t, h, "systemctl", "restart", crashing+".service", deaf+".service")
}

// deploySwitches: a deploy from the developer's side, through the bastion, as Deployer does it.
func deploySwitches(t *testing.T, l *lab.Lab) {
	h := l.Host(lab.Preprod)
	for n := 2; n <= 7; n++ {
		git(t, l, "commit", "-q", "--allow-empty", "-m", fmt.Sprint("change ", n))
		makeTarget(t, l, "deploy-preprod")
		if got := current(t, h); got != fmt.Sprintf("releases/%d", n) {
			t.Fatalf("current is %s after deploy %d", got, n)
		}
	}
	about, err := l.SSH(t.Context(), "rp-preprod", "www/current/bin/console", "about")
	if err != nil {
		t.Fatal(err)
	}
	if want := "release 7\nrevision " + git(t, l, "rev-parse", "HEAD") + "\n"; about != want {
		t.Errorf("the application says %q, want %q", about, want)
	}
	if got := labtest.On(t, h, "ls", lab.AppPath+"/releases"); got != "3\n4\n5\n6\n7\n" {
		t.Errorf("the releases kept are %q", got)
	}
	makeTarget(t, l, "rollback-preprod")
	if got := current(t, h); got != "releases/6" {
		t.Errorf("current is %s after the rollback", got)
	}
}

// deployFails: a test can have a deploy that stops half-way, or lies.
func deployFails(t *testing.T, l *lab.Lab) {
	before := current(t, l.Host(lab.Prod))
	for at, fails := range map[string]bool{"symlink": true, "symlink-silently": false} {
		cmd := exec.CommandContext(t.Context(), "make", "-C", l.WorkTree(), "deploy-prod")
		cmd.Env = append(os.Environ(), "LAB_FAIL_AT="+at)
		if out, err := cmd.CombinedOutput(); (err != nil) != fails {
			t.Errorf("LAB_FAIL_AT=%s: %v\n%s", at, err, out)
		}
		if after := current(t, l.Host(lab.Prod)); after != before {
			t.Errorf("LAB_FAIL_AT=%s moved current to %s", at, after)
		}
	}
}

func secondLabRefused(t *testing.T, l *lab.Lab) {
	second, err := lab.Up(t.Context(), lab.Options{Slot: lab.SlotTest, Suite: l.Suite})
	if err == nil {
		_ = second.Down(context.WithoutCancel(t.Context()))
	}
	if !errors.Is(err, lab.ErrUp) {
		t.Errorf("a second lab: got %v, want %v", err, lab.ErrUp)
	}
}

// powerCut: a host's disk and its enabled workers outlive the loss of power.
func powerCut(t *testing.T, l *lab.Lab) {
	h := l.Host(lab.Prod)
	if err := h.WriteFile(t.Context(), "/root/kept", []byte("here"), 0o600); err != nil {
		t.Fatal(err)
	}
	labtest.On(t, h, "sync")
	if err := h.PowerCut(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Run(t.Context(), "true"); err == nil {
		t.Error("the host still runs after a power cut")
	}
	if err := h.Boot(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := labtest.On(t, h, "cat", "/root/kept"); got != "here" {
		t.Errorf("the disk has %q", got)
	}
	if got := labtest.Property(t, h, "messenger_worker@1", "SubState"); got != "running" {
		t.Errorf("the worker is %s after the boot", got)
	}
}

// TestLeftovers: what a killed process left of a lab is cleaned by the next one.
func TestLeftovers(t *testing.T) {
	labtest.Need(t)
	o := lab.Options{Slot: lab.SlotTest, Wait: true, Roles: []lab.Role{lab.Prod}}
	first, err := lab.Up(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	remains := filepath.Join(first.Dir, "remains")
	if err := errors.Join(os.WriteFile(remains, nil, 0o644), first.Abandon()); err != nil {
		t.Fatal(err)
	}
	second := labtest.Up(t, o)
	if _, err := os.Stat(remains); err == nil {
		t.Error("the leftovers are still there")
	}
	if got := labtest.On(t, second.Host(lab.Prod), "hostname"); got != "prod\n" {
		t.Errorf("the second lab's host says %q", got)
	}
}

func send(t *testing.T, h *lab.Host, transport, id, seconds string) {
	t.Helper()
	if _, err := h.RunAs(t.Context(), "app", lab.AppPath+"/current/bin/console", "app:send", transport, id, seconds); err != nil {
		t.Fatal(err)
	}
}

func current(t *testing.T, h *lab.Host) string {
	t.Helper()
	return strings.TrimSpace(labtest.On(t, h, "readlink", lab.AppPath+"/current"))
}

func git(t *testing.T, l *lab.Lab, args ...string) string {
	t.Helper()
	return labtest.Local(t, "git", append([]string{"-C", l.WorkTree()}, args...)...)
}

func makeTarget(t *testing.T, l *lab.Lab, target string) {
	t.Helper()
	labtest.Local(t, "make", "-C", l.WorkTree(), target)
}
