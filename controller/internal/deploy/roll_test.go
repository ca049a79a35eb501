package deploy

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/proto"
)

// crashes makes every restarted unit of a host a crash loop.
func (h *fakeHost) crashes() {
	h.verdict = map[string]proto.UnitVerdict{}
	for _, unit := range h.units {
		h.verdict[unit] = proto.UnitVerdict{Verdict: proto.VerdictCrashLoop}
	}
}

func TestCrashLoopOnTheFirstHostStopsTheRoll(t *testing.T) {
	b := newBench("pp1", "pp2", "pp3")
	b.hosts["pp1"].crashes()
	b.want(t, Deploy(t.Context(), b.world, b.options), exit.Failed, "pp1: messenger_worker_async@1.service: crash loop",
		"--max-fail 1", "left 2 hosts on old code: pp2, pp3", "once it is mended, `rpctl restart --env preprod` finishes")
	if got := b.restarted(); !slices.Equal(got, []string{"pp1"}) {
		t.Errorf("restarted %q, want pp1 alone", got)
	}
	report := b.sink.report(t)
	for i, code := range []string{codeNotProved, codeOld, codeOld} {
		if report.Hosts[i].Code != code {
			t.Errorf("%s is said to run %q, want %q", report.Hosts[i].Host, report.Hosts[i].Code, code)
		}
	}
}

func TestBudgetAllowsSomeFailures(t *testing.T) {
	for _, test := range []struct {
		budget  int
		touched int
	}{{0, 1}, {1, 1}, {2, 3}, {3, 4}, {9, 5}} {
		t.Run(fmt.Sprint(test.budget), func(t *testing.T) {
			b := newBench("pp1", "pp2", "pp3", "pp4", "pp5")
			b.options.MaxFail = test.budget
			for _, name := range []string{"pp1", "pp3", "pp4"} {
				b.hosts[name].crashes()
			}
			b.want(t, Restart(t.Context(), b.world, b.options), exit.Failed)
			if got := b.restarted(); len(got) != test.touched {
				t.Errorf("restarted %q, want %d hosts", got, test.touched)
			}
		})
	}
}

// TestCutOffMessageDoesNotStopTheRoll: the old process was killed, the new one is proved; the
// other hosts must not stay on old code for that, and the operator is still told.
func TestCutOffMessageDoesNotStopTheRoll(t *testing.T) {
	b := newBench("pp1", "pp2")
	h := b.hosts["pp1"]
	h.verdict = map[string]proto.UnitVerdict{}
	for _, unit := range h.units {
		h.verdict[unit] = proto.UnitVerdict{Verdict: proto.VerdictKilled, NewCode: true}
	}
	b.want(t, Restart(t.Context(), b.world, b.options), exit.Failed, "a message was cut off")
	if got := b.restarted(); !slices.Equal(got, []string{"pp1", "pp2"}) {
		t.Errorf("restarted %q, want both", got)
	}
}

func TestRefusedRestartCountsAgainstTheBudget(t *testing.T) {
	b := newBench("pp1", "pp2")
	b.hosts["pp1"].fail[proto.OpRestart] = &proto.Error{Code: proto.CodePolkit, Message: "polkit refused", Advice: proto.Advice{Code: proto.AdviceHostDoctor}}
	b.want(t, Restart(t.Context(), b.world, b.options), exit.HostFailed,
		"polkit refused", "rp-agent doctor", "left 1 host as they were: pp2", "rpctl restart --env preprod")
	if got := b.restarted(); slices.Contains(got, "pp2") {
		t.Errorf("restarted %q", got)
	}

	b = newBench("pp1", "pp2", "pp3")
	b.hosts["pp2"].fail[proto.OpRestart] = &proto.Error{Code: proto.CodePolkit, Message: "polkit refused"}
	b.want(t, Restart(t.Context(), b.world, b.options), exit.Partial, "pp2: polkit refused", "pp3")
}

// TestWaves looks at which hosts restart together, and that each wave is verified before the next begins.
func TestWaves(t *testing.T) {
	for _, test := range []struct {
		hosts, wave int
		sizes       string
	}{
		{1, 0, "1"}, {2, 0, "1 1"}, {19, 0, strings.TrimSpace(strings.Repeat("1 ", 19))},
		{21, 0, "1 2 2 2 2 2 2 2 2 2 2"}, {5, 2, "1 2 2"}, {5, 3, "1 3 1"}, {4, 100, "1 3"},
	} {
		t.Run(fmt.Sprintf("%d hosts, --wave %d", test.hosts, test.wave), func(t *testing.T) {
			var names []string
			for i := range test.hosts {
				names = append(names, fmt.Sprintf("pp%02d", i))
			}
			b := newBench(names...)
			b.options.Wave = test.wave
			var mu sync.Mutex
			var ops []proto.Op
			for _, h := range b.hosts {
				h.during = func(_ context.Context, op proto.Op) error {
					mu.Lock()
					defer mu.Unlock()
					if op == proto.OpRestart || op == proto.OpVerify {
						ops = append(ops, op)
					}
					return nil
				}
			}
			b.want(t, Restart(t.Context(), b.world, b.options), exit.OK)
			if got := runs(ops); got != test.sizes {
				t.Errorf("waves of %s, want %s", got, test.sizes)
			}
			steps := b.sink.report(t).Steps
			if len(steps) != 4 || steps[1].Step != stepRestart || steps[2].Step != stepVerify {
				t.Errorf("steps %+v", steps)
			}
		})
	}
}

// runs is how many restarts stood together, each time followed by as many verifications.
func runs(ops []proto.Op) string {
	var sizes []string
	for len(ops) > 0 {
		n := 0
		for n < len(ops) && ops[n] == proto.OpRestart {
			n++
		}
		if n == 0 || len(ops) < 2*n || slices.Contains(ops[n:2*n], proto.OpRestart) {
			return fmt.Sprintf("%v, then %v", sizes, ops)
		}
		sizes, ops = append(sizes, fmt.Sprint(n)), ops[2*n:]
	}
	return strings.Join(sizes, " ")
}

func TestWavesAreToldApart(t *testing.T) {
	b := newBench("pp1", "pp2")
	b.want(t, Restart(t.Context(), b.world, b.options), exit.OK)
	var told []string
	for _, e := range b.sink.events {
		if e.Kind == event.Step && e.State == event.Began && e.Step != stepPreflight {
			told = append(told, strings.TrimSpace(e.Step+" "+e.Text))
		}
	}
	want := []string{"restart pp1 (1 of 2)", "verify pp1 (1 of 2)", "restart pp2 (2 of 2)", "verify pp2 (2 of 2)", stepReport}
	if !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}
