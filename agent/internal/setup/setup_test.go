package setup

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gofrs/flock"

	"github.com/re-connect/rpctl/agent/internal/config"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/systemd"
)

func TestInstallThenNothingToChange(t *testing.T) {
	f := newFakeHost(t)
	changes := f.install(preprod())
	inOrder := []string{
		"create " + systemd.SysusersPath, "create user rp-agent, group rpctl", "create folders", "add app to group rpctl",
		"create /var/lib/rp-agent/receipt_key", "create /etc/systemd/system/rp-agent.socket", "create " + systemd.RulePath,
		"create " + proto.ConfigPath, "create " + systemd.Binary, "run systemctl daemon-reload", "enable rp-agent.socket",
		"start rp-agent.socket", "run sshd -t", "run systemctl reload ssh.service",
	}
	at := 0
	for _, change := range changes {
		if at < len(inOrder) && change == inOrder[at] {
			at++
		}
	}
	if at < len(inOrder) {
		t.Errorf("%q did not come in its turn:\n%s", inOrder[at], strings.Join(changes, "\n"))
	}
	if got, err := config.Parse("agent.toml", []byte(f.read(proto.ConfigPath))); err != nil || !reflect.DeepEqual(got, preprod().Config) {
		t.Errorf("agent.toml says %+v, %v", got, err)
	}
	if f.read(systemd.Binary) != "agent 1" || !f.active {
		t.Errorf("binary %q, socket active: %v", f.read(systemd.Binary), f.active)
	}
	before := f.tree()
	if again := f.install(preprod()); len(again) != 0 {
		t.Errorf("twice in a row changes %q", again)
	}
	if !maps.Equal(before, f.tree()) {
		t.Error("a setup with nothing to change changed something")
	}
}

func TestPlanAloneChangesNothing(t *testing.T) {
	f := newFakeHost(t)
	before := f.tree()
	plan, err := New(t.Context(), f.Host, preprod())
	if err != nil || len(plan.Report().Changes) == 0 || plan.Report().Applied {
		t.Fatalf("%+v, %v", plan, err)
	}
	if !maps.Equal(before, f.tree()) {
		t.Error("looking changed something")
	}
	for _, ran := range f.ran {
		if !strings.HasPrefix(ran, "getent ") && !strings.HasPrefix(ran, "systemctl show ") {
			t.Errorf("looking ran %q", ran)
		}
	}
}

// An upgrade is made to fail at every command; the old version must be there afterwards, and
// the same command must then finish it.
func TestFailureHalfWayLeavesTheOldVersion(t *testing.T) {
	for _, failing := range []string{"gpasswd -a", "systemctl daemon-reload", "sshd -t", "systemctl reload", "systemctl restart"} {
		t.Run(failing, func(t *testing.T) {
			f := newFakeHost(t)
			f.install(preprod())
			f.write(systemd.SSHDPath, "# an older one\n")
			f.write(systemd.UnitDir+"/rp-agent.socket", "# an older one\n")
			f.write(systemd.RulePath, "// an older one\n")
			before := f.tree()

			spec := preprod()
			spec.Operators = append(spec.Operators, "alice")
			spec.Config.Look = append(spec.Config.Look, "adm")
			f.Agent, f.fail = binaryOf("agent 2"), failing
			plan, err := New(t.Context(), f.Host, spec)
			if err != nil {
				t.Fatal(err)
			}
			err = plan.Apply(t.Context())
			var refusal *proto.Error
			if !errors.As(err, &refusal) || refusal.Advice.Text() == "" || strings.Contains(string(refusal.Message), "\x1b") ||
				!strings.Contains(string(refusal.Message), "no space left") {
				t.Fatalf("want an error for a person, got %v", err)
			}
			checkTree(t, before, f.tree())

			f.fail = ""
			f.install(spec)
			if f.read(systemd.Binary) != "agent 2" || !slices.Contains(f.groups["rpctl"], "alice") {
				t.Error("the second try did not finish it")
			}
			if again := f.install(spec); len(again) != 0 {
				t.Errorf("then there was still %q", again)
			}
		})
	}
}

func checkTree(t *testing.T, want, got map[string]string) {
	t.Helper()
	for name, content := range want {
		if got[name] != content {
			t.Errorf("%s is not as it was: %.80q, was %.80q", name, got[name], content)
		}
	}
	for name := range got {
		if _, was := want[name]; !was {
			t.Errorf("%s is left over", name)
		}
	}
}

// What can fail for want of space fails before the first file is replaced.
func TestFailureBeforeTheFirstChange(t *testing.T) {
	f := newFakeHost(t)
	f.install(preprod())
	f.write(systemd.RulePath, "// an older one\n")
	// A folder in the way of the staged binary: as good as a full disk, also for root.
	f.mkdir("/usr/local/bin/.rp-agent.rp-agent-new/x")
	f.Agent = binaryOf("agent 2")
	before := f.tree()
	plan, err := New(t.Context(), f.Host, preprod())
	if err != nil {
		t.Fatal(err)
	}
	if err := plan.Apply(t.Context()); err == nil || !strings.Contains(err.Error(), "nothing was changed") {
		t.Errorf("got %v", err)
	}
	checkTree(t, before, f.tree())
}

func TestFreshInstallThatFailsLeavesNoUnit(t *testing.T) {
	f := newFakeHost(t)
	f.fail = "systemctl restart"
	plan, err := New(t.Context(), f.Host, preprod())
	if err != nil {
		t.Fatal(err)
	}
	if plan.Apply(t.Context()) == nil {
		t.Fatal("it did not fail")
	}
	for _, name := range []string{systemd.Binary, systemd.RulePath, proto.ConfigPath, socketFile, socketLink} {
		if _, err := os.Lstat(f.path(name)); err == nil {
			t.Errorf("%s is left over", name)
		}
	}
	if last := f.ran[len(f.ran)-1]; last != "systemctl stop rp-agent.socket" {
		t.Errorf("systemd was told last: %s", last)
	}
}

func TestDriftIsMended(t *testing.T) {
	for name, c := range map[string]struct {
		drift func(f *fakeHost)
		want  []string
	}{
		"content":                          {func(f *fakeHost) { f.write(systemd.RulePath, "x") }, []string{"replace " + systemd.RulePath}},
		"mode":                             {func(f *fakeHost) { f.must(os.Chmod(f.path(proto.ConfigPath), 0o666)) }, []string{"replace " + proto.ConfigPath}},
		"folder":                           {func(f *fakeHost) { f.must(os.Chmod(f.path("/var/lib/rp-agent"), 0o755)) }, []string{"create folders"}},
		"unit":                             {func(f *fakeHost) { f.must(os.Remove(f.path(socketFile))) }, []string{"create " + socketFile, "run systemctl daemon-reload", "restart rp-agent.socket"}},
		"stopped":                          {func(f *fakeHost) { f.active = false }, []string{"start rp-agent.socket"}},
		"off":                              {func(f *fakeHost) { f.must(os.Remove(f.path(socketLink))) }, []string{"enable rp-agent.socket"}},
		"unread":                           {func(f *fakeHost) { f.stale = "yes" }, []string{"run systemctl daemon-reload"}},
		"cut off between file and restart": {func(f *fakeHost) { f.entered = "@1000000000" }, []string{"restart rp-agent.socket"}},
		"member":                           {func(f *fakeHost) { f.groups["rpctl"] = []string{"app", "bob"} }, []string{"remove bob from group rpctl"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeHost(t)
			f.install(preprod())
			c.drift(f)
			if got := f.install(preprod()); !slices.Equal(got, c.want) {
				t.Errorf("changed %q, want %q", got, c.want)
			}
			if again := f.install(preprod()); len(again) != 0 {
				t.Errorf("then there was still %q", again)
			}
		})
	}
}

func TestRefusedBeforeAnythingIsTouched(t *testing.T) {
	for name, c := range map[string]struct {
		change func(f *fakeHost, spec *proto.SetupSpec)
		says   string
	}{
		"masked unit": {func(f *fakeHost, _ *proto.SetupSpec) {
			f.mkdir(systemd.UnitDir)
			f.must(os.Symlink("/dev/null", f.path(socketFile)))
		}, "systemctl unmask rp-agent.socket"},
		"state is a file":       {func(f *fakeHost, _ *proto.SetupSpec) { f.write("/var/lib/rp-agent", "x") }, "is no folder"},
		"no application's user": {func(_ *fakeHost, spec *proto.SetupSpec) { spec.Config.Application.User = "web" }, "user web is not on this host"},
		"bad spec":              {func(_ *fakeHost, spec *proto.SetupSpec) { spec.Config.Workers = nil }, "no worker patterns"},
		"what the agent would refuse": {func(_ *fakeHost, spec *proto.SetupSpec) {
			spec.Config.Workers = append(spec.Config.Workers, spec.Config.Workers[0])
		}, "is there twice"},
		"worker of root": {func(f *fakeHost, _ *proto.SetupSpec) {
			f.write("/usr/lib/systemd/system/messenger_worker_async@.service", "[Service]\n")
		}, "messenger_worker_async@rp-agent-setup.service runs as root"},
		"worker of another user": {func(f *fakeHost, spec *proto.SetupSpec) {
			f.write("/usr/lib/systemd/system/backup.service", "[Service]\nUser=backup\n")
			spec.Config.Workers = append(spec.Config.Workers, "backup.service")
		}, "backup.service runs as backup, not as the application's user app"},
		"worker in the socket's group": {func(f *fakeHost, _ *proto.SetupSpec) {
			f.write("/usr/lib/systemd/system/messenger_worker_async@.service", "[Service]\nUser=app\nSupplementaryGroups=www-data rpctl\n")
		}, "runs in group rpctl"},
		"worker by another name of a unit": {func(f *fakeHost, spec *proto.SetupSpec) {
			f.write("/usr/lib/systemd/system/systemd-logind.service", "[Service]\nUser=app\n")
			f.must(os.Symlink("systemd-logind.service", f.path("/usr/lib/systemd/system/innocent.service")))
			spec.Config.Workers = append(spec.Config.Workers, "innocent.service")
		}, "innocent.service is another name of systemd-logind.service"},
		"worker that is the host's": {func(_ *fakeHost, spec *proto.SetupSpec) {
			spec.Config.Workers = append(spec.Config.Workers, "ssh.service")
		}, "is a unit of the host"},
		"forced key for nobody": {func(_ *fakeHost, spec *proto.SetupSpec) {
			spec.ForcedKey = &proto.ForcedKey{User: "mallory", PublicKey: testKey}
		}, "mallory of the forced-command key"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeHost(t)
			spec := preprod()
			c.change(f, &spec)
			before := f.tree()
			if _, err := New(t.Context(), f.Host, spec); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %q", err, c.says)
			}
			checkTree(t, before, f.tree())
		})
	}
}

func TestOnlyRootMay(t *testing.T) {
	host := &Host{Root: "/", UID: 1000, Commands: newFakeHost(t)}
	_, installErr := New(t.Context(), host, preprod())
	_, uninstallErr := NewUninstall(t.Context(), host)
	for _, err := range []error{installErr, uninstallErr} {
		var refusal *proto.Error
		if !errors.As(err, &refusal) || !strings.Contains(refusal.Advice.Text(), "sudo") {
			t.Errorf("got %v", err)
		}
	}
}

func TestTwoSetupsAtOnce(t *testing.T) {
	f := newFakeHost(t)
	other := flock.New(f.path(lockPath))
	if held, err := other.TryLock(); !held {
		t.Fatal(err)
	}
	defer func() { _ = other.Unlock() }()
	plan, err := New(t.Context(), f.Host, preprod())
	if err != nil {
		t.Fatal(err)
	}
	before := f.tree()
	if err := plan.Apply(t.Context()); err == nil || !strings.Contains(err.Error(), "another setup") {
		t.Errorf("got %v", err)
	}
	checkTree(t, before, f.tree())
}

func TestWhatThisHostLacksIsLeftOutAndSaid(t *testing.T) {
	f := newFakeHost(t)
	f.ssh = false
	f.must(os.RemoveAll(f.path("/etc/polkit-1")))
	spec := preprod()
	spec.Operators = append(spec.Operators, "carol")
	spec.Config.Look = []string{"rpctl", "support"}
	real := f.path("/srv/real")
	f.must(os.MkdirAll(real, 0o755))
	f.must(os.MkdirAll(filepath.Dir(f.path(spec.Config.Application.Path)), 0o755))
	f.must(os.RemoveAll(f.path(spec.Config.Application.Path)))
	f.must(os.Symlink(real, f.path(spec.Config.Application.Path)))
	plan, err := New(t.Context(), f.Host, spec)
	if err != nil {
		t.Fatal(err)
	}
	notes := strings.Join(plan.Report().Notes, "\n")
	if strings.Contains(notes, "who is in rpctl must") {
		t.Errorf("the agent's own group is doubted:\n%s", notes)
	}
	for _, want := range []string{"messenger_worker_dmp@.service is not on this host", "carol has no account", "restart nothing", "ssh.service does not run",
		spec.Config.Application.Path + " goes through a link, to " + real, "who is in support must be in rpctl, too"} {
		if !strings.Contains(notes, want) {
			t.Errorf("no note says %q:\n%s", want, notes)
		}
	}
}

func TestOperatorsThatAreNotNamedAreLeftAlone(t *testing.T) {
	f := newFakeHost(t)
	f.install(preprod())
	f.groups["rpctl"] = []string{"bob"}
	spec := preprod()
	spec.Operators = nil
	if got := f.install(spec); len(got) != 0 {
		t.Errorf("changed %q", got)
	}
}

func TestSignersAreWrittenWhereTheyAreNamed(t *testing.T) {
	const line = `rp-preprod namespaces="applied@rpctl" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ`
	f := newFakeHost(t)
	spec := preprod()
	spec.Signers = &proto.SetupSigners{TrustedHosts: line + "\n"}
	f.install(spec)
	if got := f.read("/etc/rp-agent/trusted_hosts"); !strings.Contains(got, line) {
		t.Errorf("trusted_hosts says %q", got)
	}
	if again := f.install(spec); len(again) != 0 {
		t.Errorf("twice in a row changes %q", again)
	}
	if changed := f.install(preprod()); len(changed) != 0 || !strings.Contains(f.read("/etc/rp-agent/trusted_hosts"), line) {
		t.Errorf("a spec that does not speak of keys changed %q", changed)
	}
	spec.Signers.Approvers = "* ssh-ed25519 AAAA\n"
	if checkSpec(spec) == nil {
		t.Error("keys that the host could not read were taken")
	}
}

func TestUninstallLeavesStateAndAudit(t *testing.T) {
	f := newFakeHost(t)
	clean := f.tree()
	f.install(preprod())
	f.write("/var/lib/rp-agent/audit.jsonl", "{}")
	plan, err := NewUninstall(t.Context(), f.Host)
	if err != nil {
		t.Fatal(err)
	}
	f.must(plan.Apply(t.Context()))
	if f.read("/var/lib/rp-agent/audit.jsonl") != "{}" || f.active || !strings.Contains(strings.Join(plan.Report().Notes, "\n"), "evidence") {
		t.Errorf("state is gone, or the socket still listens, or nobody says what stays: %q", plan.Report().Notes)
	}
	for name := range f.tree() {
		if _, was := clean[name]; !was && !strings.HasPrefix(name, "/var/lib/rp-agent") {
			if info, err := os.Stat(f.path(name)); err == nil && !info.IsDir() || strings.Contains(name, "rp-agent@") {
				t.Errorf("%s is left over", name)
			}
		}
	}
	if plan, err = NewUninstall(t.Context(), f.Host); err != nil || len(plan.Report().Changes) != 0 {
		t.Errorf("twice in a row: %q, %v", targets(plan), err)
	}
}

func TestUninstallThatFailsPutsBack(t *testing.T) {
	for _, failing := range []string{"systemctl daemon-reload", "systemctl stop rp-agent@", "systemctl disable"} {
		t.Run(failing, func(t *testing.T) {
			f := newFakeHost(t)
			f.install(preprod())
			f.fail = failing
			before := f.tree()
			plan, err := NewUninstall(t.Context(), f.Host)
			if err != nil {
				t.Fatal(err)
			}
			if plan.Apply(t.Context()) == nil {
				t.Fatal("it did not fail")
			}
			checkTree(t, before, f.tree())
			if !f.active {
				t.Error("the version that was put back does not listen")
			}
		})
	}
}

func TestLeftoversOfACrashDoNotStandInTheWay(t *testing.T) {
	f := newFakeHost(t)
	f.install(preprod())
	f.write(filepath.Dir(systemd.Binary)+"/.rp-agent.rp-agent-new", "half of an agent")
	f.write(filepath.Dir(systemd.Binary)+"/.rp-agent.rp-agent-old", "an agent of long ago")
	f.Agent = binaryOf("agent 2")
	f.install(preprod())
	if got := f.read(systemd.Binary); got != "agent 2" {
		t.Errorf("the binary is %q", got)
	}
}
