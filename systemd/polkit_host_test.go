//go:build linux

package systemd_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/systemd"
)

// childEnv makes this test binary the process of another user that asks systemd for everything.
const childEnv = "RPCTL_POLKIT_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		askEverything()
		return
	}
	os.Exit(m.Run())
}

// TestPolkitOnThisHost tries every verb and unit for real, as rp-agent and as nobody: what
// must be allowed is done, what must be refused is refused, by the rule and nothing else.
func TestPolkitOnThisHost(t *testing.T) {
	if os.Getenv("RPCTL_LAB_HOST") != "1" {
		t.Skip("needs root on a lab host with systemd and polkit: RPCTL_LAB_HOST=1 is not set")
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root on a lab host with systemd and polkit: this is not root")
	}
	installFixture(t)

	asAgent := answersOf(t, systemd.User)
	asNobody := answersOf(t, "nobody")
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			got, asked := asAgent[c.name]
			if !asked {
				t.Fatal("was not asked")
			}
			checkAnswer(t, c, got)
			if answer := asNobody[c.name]; answer == done {
				t.Error("nobody may do it too")
			}
		})
	}
	if _, err := os.Stat(pwned); err == nil {
		t.Errorf("%s is there: a unit of the caller's own making ran as root", pwned)
	}
}

// The answers that count, in D-Bus's words.
const (
	done        = ""
	denied      = "org.freedesktop.DBus.Error.AccessDenied"
	unknown     = "org.freedesktop.DBus.Error.UnknownMethod" // an older systemd
	wouldAskYou = "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"
)

func checkAnswer(t *testing.T, c policyCase, got string) {
	t.Helper()
	switch {
	case c.want == allow && got != done:
		t.Errorf("must be allowed, but: %s", got)
	case c.want == refuse && got == unknown:
		t.Skipf("this systemd has no %s", c.method)
	case c.want == refuse && got != denied:
		t.Errorf("must be refused by the rule (%s), got %q", denied, got)
	case c.want == fail && (got == done || got == wouldAskYou):
		t.Errorf("must fail before or by the rule, got %q", got)
	}
}

// answersOf runs all cases in a process of another user, as the agent's sandbox would.
func answersOf(t *testing.T, name string) map[string]string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// The binary may lie where the other user cannot go.
	copied := filepath.Join("/run", "rpctltest-"+name)
	content, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(copied, content, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(copied) })
	cmd := exec.CommandContext(t.Context(), copied)
	cmd.Dir, cmd.Env = "/", []string{childEnv + "=1"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credentialOf(t, name)}
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		t.Fatalf("the process of %s: %v\n%s", name, err, said.String())
	}
	var answers map[string]string
	if err := json.Unmarshal(out.Bytes(), &answers); err != nil {
		t.Fatalf("the process of %s said %q: %v", name, out.String(), err)
	}
	return answers
}

func credentialOf(t *testing.T, name string) *syscall.Credential {
	t.Helper()
	u, err := user.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// askEverything is the child: it prints the name of the error of each case.
func askEverything() {
	conn, err := dbus.ConnectSystemBus()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	answers := map[string]string{}
	for _, c := range cases() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		err := conn.Object("org.freedesktop.systemd1", c.object).CallWithContext(ctx, c.method, 0, c.args...).Err
		cancel()
		var answer dbus.Error
		switch {
		case errors.As(err, &answer):
			answers[c.name] = answer.Name
		case err != nil:
			answers[c.name] = err.Error()
		default:
			answers[c.name] = done
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		os.Exit(1)
	}
}

// fixtureConfig lists a family of workers, a plain one, and one whose template is not on the host.
func fixtureConfig() (proto.HostConfig, []string) {
	return proto.HostConfig{
		Environment: "lab",
		Application: proto.Application{Path: "/home/rpctltest/www", User: "nobody"},
		Workers:     []proto.UnitPattern{"rpctltest_worker@*.service", "rpctltest_plain.service", "rpctltest_missing@*.service"},
		Look:        []string{"rpctl"}, Act: []string{"rpctl"},
	}, []string{"rpctltest_worker@.service", "rpctltest_plain.service"}
}

// sleeper has mounts of its own, or a bind mount is refused for want of them.
const sleeper = "[Service]\nExecStart=/bin/sleep infinity\nPrivateMounts=yes\n"

// installFixture puts the rule before one that is installed, and units where a reboot forgets them.
func installFixture(t *testing.T) {
	t.Helper()
	files, err := systemd.Files(fixtureConfig())
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		switch {
		case file.Path == systemd.SysusersPath:
			put(t, "/run/sysusers.d/rpctltest.conf", file.Content)
			run(t, "systemd-sysusers", "/run/sysusers.d/rpctltest.conf")
		case file.Path == systemd.RulePath:
			defer replaceRule(t, file.Content)
		case filepath.Dir(file.Path) == systemd.UnitDir && file.Path != systemd.UnitDir+"/"+systemd.Socket:
			put(t, "/run/systemd/system/"+filepath.Base(file.Path), file.Content)
		}
	}
	for _, unit := range []string{"rpctltest_worker@.service", "rpctltest_plain.service", "rpctltest_unlisted@.service"} {
		put(t, "/run/systemd/system/"+unit, []byte(sleeper))
	}
	// Jobs that run: a unit that is not loaded is refused for that.
	for _, job := range []string{runner, console} {
		put(t, "/run/systemd/system/"+job+".d/50-rpctltest.conf", []byte("[Service]\nUser=nobody\nExecStart=\nExecStart=/bin/sleep infinity\n"+
			"ExecStopPost=\nStandardOutput=null\nStandardError=null\nReadWritePaths=\n"))
	}
	t.Cleanup(func() {
		_ = exec.Command("systemctl", "stop", "rpctltest*", "rp-agent-run@rpctltest*", "rp-agent-console@rpctltest*", "rp-agent-dryrun@rpctltest*").Run()
		_ = exec.Command("systemctl", "daemon-reload").Run()
		outputs, _ := filepath.Glob("/var/lib/rp-agent-console/output/rpctltest*")
		for _, name := range outputs {
			_ = os.Remove(name)
		}
	})
	run(t, "systemctl", "daemon-reload")
	run(t, "systemctl", "start", worker, "rpctltest_worker@2.service", unlisted, runner, console)
}

// replaceRule waits until polkit says that it has read its rules again.
func replaceRule(t *testing.T, content []byte) {
	t.Helper()
	conn, err := dbus.ConnectSystemBus()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const authority = "org.freedesktop.PolicyKit1.Authority"
	if err := conn.AddMatchSignal(dbus.WithMatchInterface(authority), dbus.WithMatchMember("Changed")); err != nil {
		t.Fatal(err)
	}
	// A polkit that is not running yet would read the rule without a word.
	owner := conn.Object("org.freedesktop.DBus", "/org/freedesktop/DBus")
	if err := owner.CallWithContext(t.Context(), "org.freedesktop.DBus.StartServiceByName", 0, "org.freedesktop.PolicyKit1", uint32(0)).Err; err != nil {
		t.Fatal(err)
	}
	changed := make(chan *dbus.Signal, 16)
	conn.Signal(changed)
	put(t, "/etc/polkit-1/rules.d/59-rpctltest.rules", content)
	select {
	case <-changed:
	case <-time.After(2 * time.Minute):
		t.Fatal("polkit did not read its rules again")
	}
}

func put(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, content, 0o644)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = os.Remove(name)
		if folder := filepath.Dir(name); strings.HasSuffix(folder, ".service.d") {
			_ = os.Remove(folder)
		}
	})
}

func run(t *testing.T, argv ...string) {
	t.Helper()
	if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, out)
	}
}
