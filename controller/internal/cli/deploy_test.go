package cli

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/proto"
)

const unit = "messenger_worker_async@1.service"

// readyDesk is a desk in a git work tree on branch dev, with a deploy command that
// moves current on both preprod hosts.
func readyDesk(t *testing.T, args ...string) *desk {
	t.Helper()
	d := newDesk(t, args...)
	remote := t.TempDir()
	git := func(dir string, args ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=t", "-c", "user.email=t@t.example"}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	dir := d.system.Dir
	write(t, dir, "deploy.php", "<?php\n")
	write(t, dir, "deploy.sh", "#!/bin/sh\necho 'task deploy:publish'\ntouch moved\n")
	write(t, dir, ".gitignore", "moved\n")
	path := filepath.Join(dir, "hosts.toml")
	write(t, dir, "hosts.toml", strings.Replace(hostsFile, `["true"]`, `["./deploy.sh"]`, 1))
	if err := os.Chmod(filepath.Join(dir, "deploy.sh"), 0o755); err != nil {
		t.Fatal(err)
	}
	git(remote, "init", "-q", "--bare", "-b", "dev")
	git(dir, "init", "-q", "-b", "dev")
	git(dir, "add", "-A")
	git(dir, "commit", "-qm", "first")
	git(dir, "remote", "add", "origin", remote)
	git(dir, "push", "-qu", "origin", "dev")
	d.system.Getenv = func(name string) string { return map[string]string{"USER": "alice", "RPCTL_HOSTS": path}[name] }
	for _, host := range []string{"pp1", "pp2"} {
		d.answers[host] = d.wellBehaved(dir)
	}
	return d
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// wellBehaved is a host of preprod whose current moves when the deploy command has run.
func (d *desk) wellBehaved(dir string) map[proto.Op]any {
	patterns := []proto.PatternUnits{{Pattern: "messenger_worker_async@*.service", Units: []string{unit}}}
	release := func() proto.Release {
		if _, err := os.Stat(filepath.Join(dir, "moved")); err == nil {
			return proto.Release{Name: "42", Path: "/home/app/www/releases/42"}
		}
		return proto.Release{Name: "41", Path: "/home/app/www/releases/41"}
	}
	before := release()
	return map[proto.Op]any{
		"hello": proto.Hello{
			Agent: "1.0", Protocol: proto.Speaks(), Environment: "preprod",
			Capabilities: []proto.Op{proto.OpRelease, proto.OpLease, proto.OpRestart, proto.OpVerify, proto.OpRecord},
			Config: &proto.HostConfig{
				Environment: "preprod", Application: proto.Application{Path: "/home/app/www", User: "app"},
				Workers: []proto.UnitPattern{"messenger_worker_async@*.service"}, Look: []string{"rpctl"}, Act: []string{"rpctl"},
			},
		},
		proto.OpLease:   proto.Lease{Release: &before, Patterns: patterns},
		proto.OpRelease: func() any { return release() },
		proto.OpUnits:   proto.UnitList{Patterns: patterns},
		proto.OpRestart: proto.RestartResult{Units: []proto.Restarted{{Unit: unit}}},
		proto.OpVerify:  proto.VerifyResult{Release: proto.Release{Name: "42", Path: "/home/app/www/releases/42"}, Units: []proto.UnitVerdict{{Unit: unit, Verdict: proto.VerdictProved, NewCode: true}}},
		proto.OpRecord:  struct{}{},
	}
}

// TestDeployWithGit runs the whole command with real git and a real deploy command.
func TestDeployWithGit(t *testing.T) {
	d := readyDesk(t, "deploy", "--env", "preprod")
	d.run(t, exit.OK)
	for _, part := range []string{
		"🚀 :fusée: Déploiement de RP en PP en cours ...", "$ ./deploy.sh\ntask deploy:publish\n", "41 → 42",
		"✓ pp1: " + unit + ": new code proved", "deploy preprod: ok", "Déploiement de RP en PP :fusée:",
	} {
		if !strings.Contains(d.out.String(), part) {
			t.Errorf("no %q in:\n%s", part, &d.out)
		}
	}
}

func TestDeployAsJSON(t *testing.T) {
	d := readyDesk(t, "deploy", "--env", "preprod", "--json")
	d.run(t, exit.OK)
	var kinds []string
	for line := range strings.Lines(d.out.String()) {
		var e event.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		if e.Time.IsZero() {
			t.Errorf("no time: %s", line)
		}
		kinds = append(kinds, string(e.Kind))
	}
	if all := strings.Join(kinds, " "); !strings.HasPrefix(all, "begin step") || !strings.HasSuffix(all, "summary message") {
		t.Errorf("got %s", all)
	}
}

func TestModifiedDeployPHPIsRefused(t *testing.T) {
	d := readyDesk(t, "deploy", "--env", "preprod")
	write(t, d.system.Dir, "deploy.php", "<?php // edited by hand\n")
	d.run(t, exit.Refused)
	if !strings.Contains(d.errs.String(), "deploy.php") {
		t.Errorf("stderr: %s", &d.errs)
	}
	if _, err := os.Stat(filepath.Join(d.system.Dir, "moved")); err == nil {
		t.Error("the deploy command ran")
	}
}

func TestFailingDeployCommand(t *testing.T) {
	d := readyDesk(t, "deploy", "--env", "preprod")
	d.answers["pp1"][proto.OpRestart] = func(context.Context, func(proto.Event)) error {
		t.Error("a worker was restarted")
		return nil
	}
	elsewhere := t.TempDir()
	write(t, elsewhere, "hosts.toml", strings.Replace(hostsFile, `["true"]`, `["false"]`, 1))
	d.system.Args = append(d.system.Args, "--hosts", filepath.Join(elsewhere, "hosts.toml"))
	d.run(t, exit.LocalFailed)
	if !strings.Contains(d.errs.String(), "no worker was restarted") {
		t.Errorf("stderr: %s", &d.errs)
	}
}

func TestMissingDeployCommandIsFoundBeforeAnyHost(t *testing.T) {
	d := readyDesk(t, "deploy", "--env", "preprod")
	if err := os.Remove(filepath.Join(d.system.Dir, "deploy.sh")); err != nil {
		t.Fatal(err)
	}
	d.run(t, exit.LocalFailed)
	if _, dialled := d.dials.Load("pp1"); dialled {
		t.Error("a host was dialled")
	}
}
