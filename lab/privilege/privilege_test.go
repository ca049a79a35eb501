package privilege

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/re-connect/rpctl/lab"
	"github.com/re-connect/rpctl/lab/labtest"
	"github.com/re-connect/rpctl/proto"
)

// stage is a host with the agent on it, and what the intruders have.
type stage struct {
	*lab.Lab
	host *lab.Host
	bin  string // ssh and its like, for scripts
	now  seen   // what the host was after the last attempt
	runs int    // of the console, so that each has an id of its own
}

func TestPrivilege(t *testing.T) {
	labtest.Need(t)
	binary := buildAgent(t)
	labtest.EachSuite(t, func(t *testing.T, suite lab.Suite) {
		l := labtest.Up(t, lab.Options{Slot: lab.SlotPrivilege, Suite: suite, Roles: []lab.Role{lab.Preprod}})
		s := &stage{Lab: l, host: l.Host(lab.Preprod)}
		s.install(t, binary)
		s.bin = s.programs(t)
		s.now = s.look(t)
		for _, siege := range sieges() {
			began := time.Now()
			for _, a := range siege.attempts {
				t.Run(siege.who+"/"+a.name, func(t *testing.T) { play(t, s, siege.run, a) })
			}
			t.Logf("%s: %d attempts, %.1f s", siege.who, len(siege.attempts), time.Since(began).Seconds())
		}
		if out := s.on(t, "rp-agent", "audit", "verify"); !strings.Contains(out, "the chain holds") {
			t.Errorf("the audit does not verify any more: %s", out)
		}
	})
}

// buildAgent builds what is shipped.
func buildAgent(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "rp-agent")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", binary, "github.com/re-connect/rpctl/agent/cmd/rp-agent")
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cannot build rp-agent: %v\n%s", err, out)
	}
	return binary
}

// specPath is where the attempts find what this host shall be, for root's `rp-agent setup`.
const specPath = "/root/spec.json"

// install makes the host what an inventory with these words would make it.
func (s *stage) install(t *testing.T, binary string) {
	t.Helper()
	spec, err := json.Marshal(proto.SetupSpec{
		Config: proto.HostConfig{
			Environment: "preprod", Application: proto.Application{Path: lab.AppPath, User: "app"},
			Workers: []proto.UnitPattern{"messenger_worker_async@*.service", "messenger_worker_dmp@*.service", "messenger_worker_export@*.service"},
			Look:    []string{"rpctl"}, Act: []string{"rpctl"},
			Console: &proto.Console{PHP: "/usr/bin/php", Script: "bin/console", SimulationHours: 1},
		},
		Operators: []string{"app", "admin"},
		Signers:   &proto.SetupSigners{},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.host.CopyIn(t.Context(), binary, "/usr/local/bin/rp-agent", 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		specPath:                             string(spec),
		lab.AppPath + "/shared/attempt.php":  "<?php pcntl_exec('/bin/bash', ['" + attemptPath + "']);\n",
		"/root/private":                      "GOT IN\n",
		"/root/open/private":                 "GOT IN\n",
		"/home/app/.rpctl-tests-may-be-here": "",
	} {
		if err := s.host.WriteFile(t.Context(), name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s.on(t, "bash", "-c", "chmod 0700 /root; chmod 0755 /root/open; rp-agent setup <"+specPath)
	// The hostile application: whatever the agent lets the console do, the console does something else.
	s.on(t, "bash", "-c", "cp --remove-destination "+lab.AppPath+"/shared/attempt.php "+lab.AppPath+"/current/bin/console")
	// A first entry, so that there is an audit to be attacked; and what the first question leaves, a lock.
	s.on(t, "bash", "-c", `echo '{"id":1,"protocol":1,"op":"lease","environment":"preprod","args":{"purpose":"restart"}}' | rp-agent rpc
		echo '{"id":1,"protocol":1,"op":"job-start","environment":"preprod","args":{"id":"abcdefgh0","kind":"apply",`+onePlan+`}}' | rp-agent rpc
		runuser -u admin sudo true`)
}

// on runs a command on the host as root.
func (s *stage) on(t *testing.T, argv ...string) string {
	t.Helper()
	out, err := s.host.Run(t.Context(), argv...)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return out
}

// typed runs a script of bash on this machine and returns all that it says.
func typed(ctx context.Context, script string) (string, error) {
	cmd := exec.CommandContext(ctx, "bash", "-c", script)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	return out.String(), err
}

// asUser runs a script on the host as a user who has a shell there.
func (s *stage) asUser(ctx context.Context, user, script string) (string, error) {
	out, err := s.host.RunAs(ctx, user, "bash", "-c", "exec 2>&1; cd /; "+script)
	return out, err
}

// programs are ssh, scp and sftp that know this lab's hosts, ask nothing and come to an end.
func (s *stage) programs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"ssh", "scp", "sftp"} {
		program, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		script := fmt.Sprintf("#!/bin/sh\nexec timeout 20 %s -F %s -o BatchMode=yes -o ControlPath=%s/cm-%%n \"$@\"\n", program, s.SSHConfig(), dir)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	// One connection of each login for all that does not need one of its own (ssh -S none).
	for _, login := range []string{"rp-preprod", "rp-preprod-forced", "rp-preprod-admin"} {
		cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "ssh"), "-M", "-N", "-f", login)
		if err := cmd.Run(); err != nil {
			t.Fatalf("cannot log in as %s: %v", login, err)
		}
		t.Cleanup(func() { _ = exec.Command(filepath.Join(dir, "ssh"), "-O", "exit", login).Run() })
	}
	return dir
}

// developerHas lets a script on this machine use them.
func (s *stage) developerHas() string { return "PATH=" + s.bin + ":$PATH\n" }
