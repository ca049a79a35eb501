package cli

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/fleet"
	"github.com/re-connect/rpctl/controller/internal/witness"
	"github.com/re-connect/rpctl/proto"
)

func audit(length int64) proto.AuditHead {
	return proto.AuditHead{Length: length, Head: strings.Repeat("ab", 32)}
}

func (d *desk) withState(t *testing.T) {
	t.Helper()
	state := t.TempDir()
	d.system.Getenv = func(name string) string {
		return map[string]string{"USER": "alice", "XDG_STATE_HOME": state}[name]
	}
}

// TestAnotherRpctlRemembersAfterTheGreeting: the other rpctl was greeted later, when the audit had grown. The longer
// memory is no alarm for the first one, and the first one does not shorten it.
func TestAnotherRpctlRemembersAfterTheGreeting(t *testing.T) {
	target := fleet.Target{Environment: "prod", Host: "p1"}
	for name, ask := range map[string]func(context.Context, fleet.Agent) error{
		"hello": func(ctx context.Context, agent fleet.Agent) error {
			_, err := agent.Hello(ctx)
			return err
		},
		"call": func(ctx context.Context, agent fleet.Agent) error {
			return agent.Call(ctx, proto.OpStatus, nil, nil, nil)
		},
	} {
		for _, known := range []bool{true, false} {
			d := newDesk(t)
			d.withState(t)
			now := audit(10)
			d.answers["p1"]["hello"] = proto.Hello{Audit: &now}
			d.answers["p1"][proto.OpStatus] = struct{}{}
			memory := d.app().memory()
			remember := func(length int64) {
				if err := memory.Remember(witness.Seen{Environment: "prod", Host: "p1", Audit: audit(length)}); err != nil {
					t.Fatal(err)
				}
			}
			if known {
				remember(10)
			}
			a := d.app()
			agent, err := a.fleet().Dial(t.Context(), target)
			if err != nil {
				t.Fatal(err)
			}
			remember(12)
			if err := ask(t.Context(), agent); err != nil {
				t.Fatal(err)
			}
			if problem := a.audits.of(target); problem != nil {
				t.Errorf("%s, known %t: %s", name, known, problem.Why)
			}
			if seen, _, err := memory.Recall("prod", "p1"); err != nil || seen.Audit != audit(12) {
				t.Errorf("%s, known %t: remembered is %+v, %v", name, known, seen, err)
			}
			again, err := a.fleet().Dial(t.Context(), target) // by now 12 entries are known, and the host shows 10
			if err != nil {
				t.Fatal(err)
			}
			if err := ask(t.Context(), again); err != nil || a.audits.of(target) == nil {
				t.Errorf("%s, known %t: a shorter audit raises no alarm: %v", name, known, err)
			}
		}
	}
}

// TestDamagedAuditMemoryNamesTheCommandThatHeals: at a contact, in doctor, and the command does heal.
func TestDamagedAuditMemoryNamesTheCommandThatHeals(t *testing.T) {
	const heals = "rpctl history --accept-audit --env prod"
	target := fleet.Target{Environment: "prod", Host: "p1"}
	d := newDesk(t, "history", "--accept-audit", "--env", "prod")
	d.withState(t)
	now := audit(10)
	hello := proto.Hello{Audit: &now}
	d.answers["p1"]["hello"] = hello
	memory := d.app().memory()
	if err := os.MkdirAll(memory.Folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(memory.Path("prod", "p1"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := d.app()
	if before := a.recall(target); before.err == nil || exit.From(a.damaged(target, before.err)).Next != heals {
		t.Errorf("a contact: %v", before.err)
	}
	if check := a.auditCheck(target, hello); check.OK || check.Fix != heals {
		t.Errorf("doctor: %+v", check)
	}
	d.run(t, exit.OK)
	if seen, known, err := memory.Recall("prod", "p1"); err != nil || !known || seen.Audit != now {
		t.Errorf("%+v, %t, %v", seen, known, err)
	}
	if err := os.Chmod(memory.Folder, 0o777); err != nil { // what no new file mends has another command
		t.Fatal(err)
	}
	if check := a.auditCheck(target, hello); check.OK || check.Fix != "chmod go-w "+memory.Folder {
		t.Errorf("doctor, of a folder open to others: %+v", check)
	}
}

// TestAuditMemoryOfRelativeSSHConfig: a configuration is the same one however it is typed.
func TestAuditMemoryOfRelativeSSHConfig(t *testing.T) {
	t.Chdir(t.TempDir())
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	d := newDesk(t)
	d.withState(t)
	want := witness.Memory{Folder: d.app().memory().Folder, Config: filepath.Join(folder, "ssh_config")}.Path("prod", "p1")
	for _, typed := range []string{"ssh_config", "./ssh_config", "x/../ssh_config", filepath.Join(folder, "ssh_config")} {
		a := d.app()
		a.flags.sshConfig = typed
		if got := a.memory().Path("prod", "p1"); got != want {
			t.Errorf("%s has another memory", typed)
		}
	}
}
