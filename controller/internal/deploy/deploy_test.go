package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/fleet"
	"github.com/re-connect/rpctl/controller/internal/inventory"
	"github.com/re-connect/rpctl/proto"
)

func TestDeployGoesThroughTheRunbook(t *testing.T) {
	b := newBench("pp1", "pp2")
	b.want(t, Deploy(t.Context(), b.world, b.options), exit.OK)

	if want := []string{"composer install", "make deploy-preprod"}; !slices.Equal(b.ran, want) {
		t.Errorf("ran %q, want %q", b.ran, want)
	}
	messages := b.sink.texts(event.Message)
	for _, line := range []string{"🚀 :fusée: Déploiement de RP en PP en cours ...", "Déploiement de RP en PP :fusée:"} {
		if !strings.Contains(messages, line) {
			t.Errorf("no message %q in:\n%s", line, messages)
		}
	}
	report := b.sink.report(t)
	for _, h := range report.Hosts {
		if h.Code != codeNew || h.Before != "41" || h.After != "42" || h.Good != 2 {
			t.Errorf("host report %+v", h)
		}
	}
	for name, h := range b.hosts {
		want := []proto.RecordArgs{{Result: "succeeded", Revision: "4d1f00d"}}
		if !slices.Equal(h.records, want) {
			t.Errorf("%s recorded %+v, want %+v", name, h.records, want)
		}
	}
}

// TestRefusals breaks one thing each, before anything may be changed.
func TestRefusals(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(*bench)
		code  exit.Code
		says  []string
	}{
		{"unreachable", func(b *bench) {
			b.hosts["pp2"].dialErr = &exit.Error{Code: exit.Unreachable, Message: "no route", Next: "ssh pp2"}
		}, exit.Unreachable, []string{"pp2: no route", "ssh pp2", "nothing was changed"}},
		{"wrong environment", func(b *bench) { b.hosts["pp2"].hello.Environment = "prod" },
			exit.Refused, []string{`belongs to environment "prod", not to "preprod"`}},
		{"agent refuses to serve", func(b *bench) {
			b.hosts["pp1"].hello.Error = &proto.Error{Code: proto.CodeConfig, Message: "agent.toml is writable by others"}
		}, exit.HostFailed, []string{"agent.toml is writable by others"}},
		{"agent too old", func(b *bench) { b.hosts["pp1"].hello.Capabilities = []proto.Op{proto.OpRelease} },
			exit.NoAgent, []string{"too old", "rpctl agent upgrade --env preprod"}},
		{"configuration differs", func(b *bench) {
			b.hosts["pp2"].hello.Config.Workers = []proto.UnitPattern{"messenger_worker@*.service"}
		}, exit.Refused, []string{
			"workers: hosts.toml has messenger_worker_async@*.service, host has messenger_worker@*.service", "rpctl agent diff --env preprod",
		}},
		{"lease held", func(b *bench) {
			b.hosts["pp2"].fail[proto.OpLease] = &proto.Error{Code: proto.CodeLeaseHeld, Message: "held", Holder: &proto.Holder{
				Operator: "bob@desk", User: "www", Purpose: "deploy", Since: clock.Add(-190e9), From: "10.0.0.7",
			}}
		}, exit.Refused, []string{"held by bob@desk", "for a deploy", "3 min ago", "10.0.0.7", "were given back", "rpctl status --env preprod"}},
		{"held by a job", func(b *bench) {
			b.hosts["pp2"].fail[proto.OpLease] = &proto.Error{Code: proto.CodeLeaseHeld, Message: "held", Holder: &proto.Holder{
				Operator: "bob@desk", User: "www", Purpose: "migration (job abcdefgh)", Since: clock.Add(-190e9), Job: "abcdefgh",
			}}
		}, exit.Refused, []string{"held by bob@desk", "for a migration", "rpctl attach abcdefgh --env preprod"}},
		{"zero units", func(b *bench) { b.hosts["pp1"].units = nil },
			exit.Failed, []string{"no instance of messenger_worker_async@*.service"}},
		{"disk full", func(b *bench) {
			b.hosts["pp1"].fail[proto.OpLease] = &proto.Error{Code: proto.CodeStorage, Message: "cannot write: no space left"}
		}, exit.HostFailed, []string{"no space left"}},
		{"dirty tree", func(b *bench) {
			b.tree.checkErr = &exit.Error{Code: exit.Refused, Message: "deploy.php is modified"}
		}, exit.Refused, []string{"deploy.php is modified"}},
		{"diverged branch", func(b *bench) {
			b.tree.updateErr = &exit.Error{Code: exit.Refused, Message: "dev has diverged"}
		}, exit.Refused, []string{"dev has diverged"}},
		{"command missing", func(b *bench) {
			b.world.Look = func(argv []string) error {
				return &exit.Error{Code: exit.LocalFailed, Message: "cannot find " + argv[0]}
			}
		}, exit.LocalFailed, []string{"cannot find make"}},
		{"lost before the deploy", func(b *bench) { b.hosts["pp1"].fail[proto.OpRelease] = errLostAgent },
			exit.Unreachable, []string{"nothing was deployed"}},
		{"unknown step", func(b *bench) { b.options.Skip = []string{"prepair"} },
			exit.BadInput, []string{`"prepair"`, "prepare, announce, health"}},
		{"step that must stay", func(b *bench) { b.options.Skip = []string{"verify"} },
			exit.BadInput, []string{"what makes the result safe"}},
		{"no deploy command", func(b *bench) { b.options.Environment.Deploy = nil },
			exit.BadInput, []string{"hosts.toml has no `deploy = "}},
		{"not confirmed", func(b *bench) {
			b.options.Environment.Confirm = true
			b.world.Confirm = func(context.Context, string) (string, error) { return "prod\n", nil }
		}, exit.Refused, []string{"not confirmed"}},
		{"no terminal to confirm on", func(b *bench) { b.options.Environment.Confirm = true },
			exit.Refused, []string{"--max-fail 2 --yes"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBench("pp1", "pp2")
			test.spoil(b)
			b.want(t, Deploy(t.Context(), b.world, b.options), test.code, test.says...)
			if slices.Contains(b.ran, "make deploy-preprod") || len(b.restarted()) > 0 {
				t.Errorf("something was changed: ran %q, restarted %q", b.ran, b.restarted())
			}
		})
	}
}

func TestFailedDeployCommandRestartsNothing(t *testing.T) {
	for _, test := range []struct {
		name     string
		rollback []string
		moves    []string // hosts whose current the command moves before it fails
		silent   bool     // a host does not tell its release afterwards
		says     string
		next     string
		code     string // HostReport.Code of pp1
	}{
		{"current stands", []string{"dep", "rollback"}, nil, false, "`current` did not move", "rpctl deploy --env preprod", codeUnchanged},
		{"current moved", []string{"dep", "rollback"}, []string{"pp1", "pp2"}, false, "`current` has moved", "rpctl rollback --env preprod", codeOld},
		{"moved, and no rollback command", nil, []string{"pp1", "pp2"}, false, "`current` has moved", "rpctl status --env preprod", codeOld},
		{"moved on one", []string{"dep", "rollback"}, []string{"pp1"}, false, "`current` moved on 1 of 2 hosts", "rpctl status --env preprod", codeOld},
		{"a host does not tell", []string{"dep", "rollback"}, []string{"pp1"}, true, "whether `current` moved is not known", "rpctl status --env preprod", codeOld},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench("pp1", "pp2")
			b.options.Environment.Rollback = test.rollback
			b.running = func(_ context.Context, argv []string) error {
				if argv[0] != "make" {
					return nil
				}
				for _, name := range test.moves {
					b.hosts[name].move()
				}
				if test.silent {
					b.hosts["pp2"].fail[proto.OpRelease] = errLostAgent
				}
				return errors.New("make ended with status 2")
			}
			err := Deploy(t.Context(), b.world, b.options)
			b.want(t, err, exit.LocalFailed, "make ended with status 2; no worker was restarted; "+test.says)
			if got := exit.From(err).Next; got != test.next {
				t.Errorf("next is %q, want %q", got, test.next)
			}
			if got := b.sink.report(t).Hosts[0].Code; got != test.code {
				t.Errorf("pp1 runs %q, want %q", got, test.code)
			}
			if got := b.restarted(); len(got) > 0 {
				t.Errorf("restarted %q", got)
			}
			if records := b.hosts["pp1"].records; len(records) != 1 || records[0].Result != "failed" {
				t.Errorf("recorded %+v", records)
			}
		})
	}
}

func TestCurrentThatDidNotMoveIsAFailure(t *testing.T) {
	b := newBench("pp1", "pp2")
	b.hosts["pp2"].release = proto.Release{Name: "42", Path: "/home/app/www/releases/42"} // where the deploy leads anyway
	err := Deploy(t.Context(), b.world, b.options)
	b.want(t, err, exit.Failed, "`current` did not move on pp2 (still 42)", "no worker was restarted")
	if got := b.restarted(); len(got) > 0 {
		t.Errorf("restarted %q", got)
	}
}

func TestVerdicts(t *testing.T) {
	const unit = "messenger_worker_async@2.service"
	tests := []struct {
		verdict proto.UnitVerdict
		code    exit.Code
		host    string // HostReport.Code
	}{
		{proto.UnitVerdict{Verdict: proto.VerdictCrashLoop}, exit.Failed, codeNotProved},
		{proto.UnitVerdict{Verdict: proto.VerdictMissing}, exit.Failed, codeNotProved},
		{proto.UnitVerdict{Verdict: proto.VerdictOldCode}, exit.Failed, codeNotProved},
		{proto.UnitVerdict{Verdict: proto.VerdictKilled, NewCode: true}, exit.Failed, codeNew},
		{proto.UnitVerdict{Verdict: proto.VerdictNotProvable}, exit.OK, codeNew},
	}
	for _, test := range tests {
		t.Run(string(test.verdict.Verdict), func(t *testing.T) {
			b := newBench("pp1")
			b.hosts["pp1"].verdict = map[string]proto.UnitVerdict{unit: test.verdict}
			err := Deploy(t.Context(), b.world, b.options)
			b.want(t, err, test.code)
			if err != nil && !strings.Contains(err.Error(), unit+": "+string(test.verdict.Verdict)) {
				t.Errorf("the error does not name the unit: %v", err)
			}
			if got := b.sink.report(t).Hosts[0]; got.Code != test.host || len(got.Problems) == 0 {
				t.Errorf("host report %+v, want code %q and a problem", got, test.host)
			}
		})
	}
}

func TestVerdictLeftOutIsNoProof(t *testing.T) {
	h := &host{restarted: []proto.Restarted{{Unit: "a.service"}}}
	if err := missing(h); err == nil {
		t.Error("a host without a verdict was believed")
	}
}

// TestLostHost loses one host at each operation after the deploy command.
func TestLostHost(t *testing.T) {
	for _, test := range []struct {
		at   proto.Op
		left string
	}{
		{proto.OpRelease, codeOld},
		{proto.OpRestart, codeUnknown},
		{proto.OpVerify, codeUnknown},
	} {
		t.Run(string(test.at), func(t *testing.T) {
			b := newBench("pp1", "pp2")
			b.running = func(_ context.Context, argv []string) error {
				if argv[0] == "make" {
					b.hosts["pp1"].fail[test.at] = errLostAgent
				}
				return nil
			}
			err := Deploy(t.Context(), b.world, b.options)
			b.want(t, err, exit.Partial, "1 of 2 hosts are done", "pp1 runs", "rpctl restart --env preprod")
			report := b.sink.report(t)
			if report.Hosts[0].Code != test.left || report.Hosts[1].Code != codeNew {
				t.Errorf("hosts are %+v, want pp1 %q and pp2 %q", report.Hosts, test.left, codeNew)
			}
		})
	}
}

func TestEveryHostLostIsPartialToo(t *testing.T) {
	b := newBench("pp1")
	b.hosts["pp1"].fail[proto.OpRestart] = errLostAgent
	b.want(t, Deploy(t.Context(), b.world, b.options), exit.Partial, "rpctl restart --env preprod")
}

func TestPolkitRefusal(t *testing.T) {
	refusal := &proto.Error{Code: proto.CodePolkit, Message: "polkit refused", Advice: proto.Advice{Code: proto.AdviceHostDoctor}}
	b := newBench("pp1")
	b.hosts["pp1"].fail[proto.OpRestart] = refusal
	b.want(t, Deploy(t.Context(), b.world, b.options), exit.HostFailed, "polkit refused", "rp-agent doctor")

	b = newBench("pp1", "pp2")
	b.options.MaxFail = 2
	b.hosts["pp1"].fail[proto.OpRestart] = refusal
	b.want(t, Deploy(t.Context(), b.world, b.options), exit.Partial, "pp1 runs")
	if got := b.restarted(); !slices.Contains(got, "pp2") {
		t.Errorf("restarted %q, want pp2 among them", got)
	}
}

func TestHealth(t *testing.T) {
	b := newBench("pp1")
	b.options.Environment.Health = &inventory.Health{URL: "https://pp.example/health"}
	asked := ""
	b.world.Healthy = func(_ context.Context, _ inventory.Health, revision string) (string, error) {
		asked = revision
		return "", &exit.Error{Code: exit.Failed, Message: "https://pp.example/health answered 502"}
	}
	b.want(t, Deploy(t.Context(), b.world, b.options), exit.Failed, "answered 502")
	if asked != "4d1f00d" {
		t.Errorf("asked for revision %q", asked)
	}
}

func TestRollbackLeavesTheTreeAlone(t *testing.T) {
	b := newBench("pp1")
	b.tree.checkErr = errors.New("dirty")
	b.want(t, Rollback(t.Context(), b.world, b.options), exit.OK)
	if want := []string{"dep rollback"}; !slices.Equal(b.ran, want) {
		t.Errorf("ran %q, want %q", b.ran, want)
	}
}

func TestRestartOnlyRestarts(t *testing.T) {
	b := newBench("pp1", "pp2")
	b.want(t, Restart(t.Context(), b.world, b.options), exit.OK)
	if len(b.ran) > 0 || len(b.restarted()) != 2 {
		t.Errorf("ran %q, restarted %q", b.ran, b.restarted())
	}
	if got := b.sink.texts(event.Message); got != "" {
		t.Errorf("a restart is no deploy, yet it wants to tell the team %q", got)
	}
}

// A verification has an end of its own on the host, so a host that gives none is lost.
func TestVerdictIsNotWaitedForForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench("pp1", "pp2")
		b.hosts["pp2"].during = func(ctx context.Context, op proto.Op) error {
			if op != proto.OpVerify {
				return nil
			}
			<-ctx.Done()
			return fmt.Errorf("%w: %w", fleet.ErrLost, ctx.Err())
		}
		b.want(t, Deploy(t.Context(), b.world, b.options), exit.Partial, "1 of 2 hosts are done", "pp2", "rpctl restart --env preprod")
	})
}

func TestNarrow(t *testing.T) {
	const async, dmp = "messenger_worker_async@*.service", "messenger_worker_dmp@*.service"
	host := []proto.PatternUnits{
		{Pattern: async, Units: []string{"messenger_worker_async@1.service", "messenger_worker_async@2.service"}},
		{Pattern: dmp, Units: nil},
	}
	for _, test := range []struct {
		only []proto.UnitPattern
		want string
	}{
		{nil, "[{messenger_worker_async@*.service [messenger_worker_async@1.service messenger_worker_async@2.service]} {messenger_worker_dmp@*.service []}]"},
		{[]proto.UnitPattern{dmp}, "[{messenger_worker_dmp@*.service []}]"},
		{[]proto.UnitPattern{"messenger_worker_async@2.service"}, "[{messenger_worker_async@*.service [messenger_worker_async@2.service]}]"},
		{[]proto.UnitPattern{"messenger_worker_async@9.service"}, "[]"},
	} {
		if got := fmt.Sprint(narrow(host, test.only)); got != test.want {
			t.Errorf("only %v: %s, want %s", test.only, got, test.want)
		}
	}
}

func TestDryRunChangesNothing(t *testing.T) {
	b := newBench("pp1", "pp2")
	b.options.DryRun = true
	b.options.Environment.Confirm = true // asked of nobody: nothing happens
	b.want(t, Deploy(t.Context(), b.world, b.options), exit.OK)
	if len(b.ran) > 0 {
		t.Errorf("ran %q", b.ran)
	}
	for name, h := range b.hosts {
		for _, op := range []proto.Op{proto.OpLease, proto.OpRestart, proto.OpRecord} {
			if h.called(op) {
				t.Errorf("%s was asked for %s", name, op)
			}
		}
	}
	plans, commands := 0, ""
	for _, e := range b.sink.events {
		if e.Kind == event.Plan {
			plans += len(e.Plan[0].Units)
		}
		if e.Kind == event.Command {
			commands += strings.Join(e.Argv, " ") + "\n"
		}
	}
	if plans != 4 || !strings.Contains(commands, "make deploy-preprod") {
		t.Errorf("%d units planned, commands:\n%s", plans, commands)
	}
}

// TestDryRunSaysWhatADeployWouldMeet: who holds a host, with how to watch that, and what git would bring.
func TestDryRunSaysWhatADeployWouldMeet(t *testing.T) {
	b := newBench("pp1", "pp2")
	b.options.DryRun = true
	b.tree.notes = []string{"dev is 2 commits behind origin/dev"}
	b.hosts["pp1"].status.Lease = &proto.Holder{Operator: "bob@desk", User: "www", Purpose: "restart", Since: clock}
	b.hosts["pp2"].status.Jobs = []proto.Job{
		{ID: "simulate1", Kind: proto.KindSimulate}, // stands in nobody's way
		{ID: "abcdefgh", Kind: proto.KindApply, Operator: "claire@desk", Created: clock},
	}
	b.want(t, Deploy(t.Context(), b.world, b.options), exit.OK)
	said := map[string]string{}
	for _, e := range b.sink.events {
		if e.Kind == event.Warning {
			said[e.Host] += e.Text + " | " + e.Next
		}
	}
	for host, parts := range map[string][]string{
		"":    {"2 commits behind"},
		"pp1": {"a deploy would be refused now: held by bob@desk", "for a restart", "| rpctl status --env preprod"},
		"pp2": {"a deploy would be refused now: held by claire@desk", "for a migration", "| rpctl attach abcdefgh --env preprod"},
	} {
		for _, part := range parts {
			if !strings.Contains(said[host], part) {
				t.Errorf("%q says %q, not %q", host, said[host], part)
			}
		}
	}
}
