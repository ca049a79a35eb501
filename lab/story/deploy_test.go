package story

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/lab"
	"github.com/re-connect/rpctl/lab/labtest"
	"github.com/re-connect/rpctl/proto"
)

// What each host has enabled; see lab's instances.
var (
	preprodUnits = []string{
		"messenger_worker_async@1.service", "messenger_worker_async@2.service",
		"messenger_worker_dmp@1.service", lab.Idle + ".service",
	}
	prodUnits = []string{"messenger_worker@1.service", "messenger_worker@2.service"}
)

func doctor(t *testing.T, s *stage) {
	out := s.Rpctl(t, 0, "doctor", "--env", "all")
	seen := map[string]int{}
	for _, e := range out.Of("check") {
		if !e.Check.OK {
			t.Errorf("%s: %s: %s", e.Host, e.Check.Name, e.Check.Detail)
		}
		if !e.Check.Skipped {
			seen[e.Host]++
		}
	}
	if len(seen) != 2 || seen["rp-preprod"] < 18 || seen["rp-prod"] < 18 {
		t.Errorf("checks made: %v", seen)
	}
}

// deployPreprod is the main job: a merge to dev is brought to preprod by the real
// deploy command, and exactly preprod's workers are proved to run it.
func deployPreprod(t *testing.T, s *stage) {
	revision := s.commit(t, "dev", "change the application")
	if state := labtest.Property(t, s.preprod, lab.Idle, "ActiveState"); state != "inactive" {
		t.Fatalf("the enabled worker that does not run is %s", state)
	}
	prodBefore := invocations(t, s.prod)
	out := s.Rpctl(t, 0, "deploy", "--env", "preprod")
	proved(t, out, preprodUnits)
	if got := invocations(t, s.prod); got != prodBefore {
		t.Errorf("prod was touched:\n%s", differ(prodBefore, got))
	}
	if state := labtest.Property(t, s.preprod, lab.Idle, "SubState"); state != "running" {
		t.Errorf("the enabled worker that did not run is %s", state)
	}
	about, err := s.ssh(t, "rp-preprod", "www/current/bin/console about")
	if err != nil || !strings.Contains(about, revision) {
		t.Errorf("the application says %q (%v), want revision %s", about, err, revision)
	}
	steps := []string{"preflight", "local", "prepare", "announce", "deploy", "restart", "verify", "report"}
	summary := out.Of("summary")[0].Summary
	for i, step := range summary.Steps {
		if i >= len(steps) || step.Step != steps[i] || step.Result != "ok" {
			t.Errorf("step %d is %+v", i, step)
		}
	}
	if h := summary.Hosts[0]; h.Before != "1" || h.After != "2" || h.Code != "new code" || h.Units != 4 || h.Good != 4 {
		t.Errorf("the summary says %+v", h)
	}
}

// proved holds the verdicts of an operation to be good, and to be about exactly these units.
func proved(t *testing.T, out labtest.Outcome, units []string) {
	t.Helper()
	var judged []string
	for _, e := range out.Of("verdict") {
		judged = append(judged, e.Verdict.Unit)
		if e.Verdict.Verdict != proto.VerdictProved || !e.Verdict.NewCode {
			t.Errorf("%s: %s (%s)", e.Verdict.Unit, e.Verdict.Verdict, e.Verdict.Why)
		}
	}
	slices.Sort(judged)
	if !slices.Equal(judged, slices.Sorted(slices.Values(units))) {
		t.Errorf("verdicts on %q, want %q\n%s", judged, units, out.Describe())
	}
}

// memory: the host knows what happened, tells it to both sides, and can prove that nothing was changed.
func memory(t *testing.T, s *stage) {
	status := s.status(t, 0, "preprod")
	if last := status.LastDeploy; last == nil || last.Kind != "deploy" || last.Result != "succeeded" || last.Release != "2" {
		t.Errorf("the last deploy is %+v", last)
	}
	for _, w := range status.Workers {
		if w.Code != proto.CodeCurrent || w.Sub != "running" {
			t.Errorf("%s is %s and runs %s code", w.Unit, w.Sub, w.Code)
		}
	}
	for command, words := range map[string][]string{
		"rp-agent status":       {"healthy", "release 2", "messenger_worker_export@1", "deploy succeeded"},
		"rp-agent audit verify": {"the chain holds"},
		"rp-agent history":      {"lease-end", "developer@", "(app)"},
	} {
		out, err := s.ssh(t, "rp-preprod", command)
		for _, word := range words {
			if err != nil || !strings.Contains(out, word) {
				t.Errorf("%s: %v, and no %q in\n%s", command, err, word, out)
			}
		}
		for line := range strings.Lines(out) {
			if len([]rune(line)) > 81 && command == "rp-agent status" {
				t.Errorf("a line of the status has more than 80 columns: %s", line)
			}
		}
	}
	var actions []string
	for _, e := range s.Rpctl(t, 0, "history", "--env", "preprod").Of("history") {
		actions = append(actions, e.Audit.Action)
		if e.Audit.User != "app" || !strings.HasPrefix(e.Audit.Operator, "developer@") {
			t.Errorf("%s was done by %q as %q", e.Audit.Action, e.Audit.Operator, e.Audit.User)
		}
	}
	if want := []string{"lease", "restart", "restart-end", "record", "lease-end"}; !slices.Equal(actions[max(0, len(actions)-5):], want) {
		t.Errorf("the history ends with %q, want %q", actions, want)
	}
}

// status is what one host says of itself, asked with an exit code that is expected.
func (s *stage) status(t *testing.T, want int, env string) *proto.Status {
	t.Helper()
	out := s.Rpctl(t, want, "status", "--env", env)
	found := out.Of("status")
	if len(found) != 1 || found[0].Status == nil {
		t.Fatalf("no status:\n%s", out.Describe())
	}
	return found[0].Status
}

// prodConfirmed: nobody deploys to prod by forgetting something.
func prodConfirmed(t *testing.T, s *stage) {
	s.commit(t, "main", "release the application")
	before := invocations(t, s.prod)
	s.Rpctl(t, 4, "deploy", "--env", "prod").Failure(t, "refused", "rpctl deploy --env prod --yes")
	s.Rpctl(t, 0, "deploy", "--env", "prod", "--dry-run")
	if got := invocations(t, s.prod); got != before {
		t.Errorf("prod was touched without a confirmation:\n%s", differ(before, got))
	}
	proved(t, s.Rpctl(t, 0, "deploy", "--env", "prod", "--yes"), prodUnits)
}

func rollback(t *testing.T, s *stage) {
	out := s.Rpctl(t, 0, "rollback", "--env", "preprod")
	proved(t, out, preprodUnits)
	if h := out.Of("summary")[0].Summary.Hosts[0]; h.Before != "2" || h.After != "1" {
		t.Errorf("the summary says %+v", h)
	}
}

// messageInHand: a worker ends its message before it makes way for the new code.
func messageInHand(t *testing.T, s *stage) {
	const worker = "messenger_worker_dmp@1"
	others := strings.Split(invocations(t, s.preprod), "\n\n")
	send := []string{lab.AppPath + "/current/bin/console", "app:send", "dmp", "slow", "4.5"} // of the 6 s that the unit gives a message
	if _, err := s.preprod.RunAs(t.Context(), "app", send...); err != nil {
		t.Fatal(err)
	}
	labtest.WaitForLine(t, s.preprod, "begun.log", "slow ")
	out := s.Rpctl(t, 0, "restart", "--env", "preprod", "--only", "messenger_worker_dmp@*")
	proved(t, out, []string{worker + ".service"})
	if done := labtest.Read(t, s.preprod, lab.AppPath+"/shared/done.log"); !strings.Contains(done, "slow ") {
		t.Errorf("the message was cut off: done.log says %q", done)
	}
	waited := slices.ContainsFunc(out.Of("unit"), func(e labtest.Event) bool {
		return e.Unit.Phase == proto.PhaseStopping && e.Unit.ElapsedMS >= 900 && e.Unit.TimeoutMS == 6000
	})
	if !waited {
		t.Errorf("nobody was told that a message was waited for:\n%s", out.Describe())
	}
	now := invocations(t, s.preprod)
	for _, unit := range others {
		if !strings.Contains(unit, worker) && !strings.Contains(now, strings.TrimSpace(unit)) {
			t.Errorf("--only restarted this too:\n%s", unit)
		}
	}
}

func logs(t *testing.T, s *stage) {
	lines := s.Rpctl(t, 0, "logs", "--env", "preprod", "--unit", "messenger_worker_dmp@*", "-n", "5").Of("log")
	if len(lines) == 0 || len(lines) > 5 {
		t.Fatalf("%d lines, want 1 to 5", len(lines))
	}
	for _, e := range lines {
		if e.Log.Unit != "messenger_worker_dmp@1.service" {
			t.Errorf("a line of %s", e.Log.Unit)
		}
	}
	follow := s.Start(t, "logs", "--env", "preprod", "--unit", "messenger_worker_dmp@*", "--follow", "-n", "1")
	follow.Until(t, func(e labtest.Event) bool { return e.Log != nil })
	labtest.On(t, s.preprod, "systemctl", "restart", "messenger_worker_dmp@1.service")
	follow.Until(t, func(e labtest.Event) bool {
		return e.Log != nil && strings.Contains(string(e.Log.Message), "Consuming messages")
	})
	follow.Signal(t, os.Interrupt)
	if out := follow.Wait(t); out.Exit != 130 && out.Exit != 0 {
		t.Errorf("Ctrl-C ends logs --follow with %d\n%s", out.Exit, out.Describe())
	}
}
