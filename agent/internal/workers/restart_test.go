package workers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/re-connect/rpctl/agent/internal/units"
	"github.com/re-connect/rpctl/proto"
)

const (
	async1 = "messenger_worker_async@1.service"
	async2 = "messenger_worker_async@2.service"
	dmp1   = "messenger_worker_dmp@1.service"
)

var patterns = []proto.UnitPattern{"messenger_worker_async@*.service", "messenger_worker_dmp@*.service"}

// healthy is a worker that runs old code and restarts in 200 ms.
func healthy() *scripted {
	return &scripted{
		now:       []moment{{0, running("old", -time.Hour)}},
		restarted: []moment{{0, stopping("stop-sigterm")}, {100 * time.Millisecond, running("new", 100*time.Millisecond)}},
		jobTakes:  200 * time.Millisecond,
	}
}

// service is a host whose release was switched a minute ago.
func service(m *manager) *Service {
	return &Service{Units: m, Release: &releases{switched: time.Now().Add(-time.Minute)}, Journal: tail{}, Patterns: patterns}
}

// seen collects what was emitted, as "phase" words for one unit.
type seen struct{ events []proto.UnitProgress }

func (s *seen) emit(p proto.UnitProgress) { s.events = append(s.events, p) }

func (s *seen) phases(unit string) string {
	var words []string
	for _, e := range s.events {
		if e.Unit == unit {
			words = append(words, string(e.Phase))
		}
	}
	return strings.Join(slices.Compact(words), " ")
}

func code(err error) proto.Code {
	if e, ok := errors.AsType[*proto.Error](err); ok {
		return e.Code
	}
	return ""
}

func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(map[string]*scripted{async1: healthy(), async2: healthy(), dmp1: healthy()})
		var s seen
		got, err := service(m).Restart(t.Context(), proto.RestartArgs{}, s.emit)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, u := range got.Units {
			names = append(names, u.Unit)
			if u.Invocation != "new" || u.PID != 100 || u.Started.IsZero() || u.Failed != "" || u.Killed {
				t.Errorf("got %+v", u)
			}
			if phases := s.phases(u.Unit); phases != "queued stopping started" {
				t.Errorf("%s: %s", u.Unit, phases)
			}
		}
		if want := []string{async1, async2, dmp1}; !slices.Equal(names, want) {
			t.Errorf("got %q, want %q", names, want)
		}
		if got.Units[2].Pattern != string(patterns[1]) {
			t.Errorf("dmp is of %s", got.Units[2].Pattern)
		}
		if m.units[async1].resets != 1 {
			t.Error("the starts before count against the start limit")
		}
	})
}

func TestOnly(t *testing.T) {
	cases := []struct {
		only []proto.UnitPattern
		want []string // restarted, or
		code proto.Code
	}{
		{nil, []string{async1, async2, dmp1}, ""},
		{[]proto.UnitPattern{"messenger_worker_async@*.service"}, []string{async1, async2}, ""},
		{[]proto.UnitPattern{async2}, []string{async2}, ""},
		{[]proto.UnitPattern{dmp1, async2, async2, "messenger_worker_async@*.service"}, []string{async2, async1, dmp1}, ""},
		{[]proto.UnitPattern{"messenger_worker@*.service"}, nil, proto.CodeForbidden},
		{[]proto.UnitPattern{"messenger_worker_*@*.service"}, nil, proto.CodeBadRequest},
		{[]proto.UnitPattern{"*"}, nil, proto.CodeBadRequest},
		{[]proto.UnitPattern{"ssh.service"}, nil, proto.CodeForbidden},
		{[]proto.UnitPattern{async1, "ssh.service"}, nil, proto.CodeForbidden},
		{[]proto.UnitPattern{"messenger_worker_async@.service"}, nil, proto.CodeBadRequest},
		{[]proto.UnitPattern{"messenger_worker_async@9.service"}, nil, proto.CodeNoUnits},
		{[]proto.UnitPattern{async1, "messenger_worker_async@9.service"}, nil, proto.CodeNoUnits},
		{slices.Repeat([]proto.UnitPattern{async1}, MaxUnits+1), nil, proto.CodeBadRequest},
	}
	for _, c := range cases {
		t.Run(fmt.Sprint(c.only[:min(len(c.only), 4)]), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newManager(map[string]*scripted{async1: healthy(), async2: healthy(), dmp1: healthy()})
				got, err := service(m).Restart(t.Context(), proto.RestartArgs{Only: c.only}, nil)
				if code(err) != c.code || (err != nil) != (c.code != "") {
					t.Fatalf("got %v, want code %q", err, c.code)
				}
				var names []string
				for _, u := range got.Units {
					names = append(names, u.Unit)
				}
				if !slices.Equal(names, c.want) {
					t.Errorf("restarted %q, want %q", names, c.want)
				}
				for name, u := range m.units {
					if wanted := slices.Contains(c.want, name); (u.restarts == 1) != wanted {
						t.Errorf("%s was restarted %d times", name, u.restarts)
					}
				}
			})
		})
	}
}

func TestForbiddenNamesWhatIsAllowed(t *testing.T) {
	_, err := service(newManager(nil)).List(t.Context(), []proto.UnitPattern{"ssh.service"})
	if err == nil || !strings.Contains(err.Error(), "messenger_worker_async@*.service, messenger_worker_dmp@*.service") {
		t.Errorf("got %v", err)
	}
}

func TestPatternWithoutInstancesRestartsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(map[string]*scripted{async1: healthy()})
		s := service(m)
		_, err := s.Restart(t.Context(), proto.RestartArgs{}, nil)
		if code(err) != proto.CodeNoUnits || !strings.Contains(err.Error(), "messenger_worker_dmp@*.service") {
			t.Errorf("got %v", err)
		}
		if m.units[async1].restarts != 0 {
			t.Error("something was restarted all the same")
		}
		list, err := s.List(t.Context(), nil)
		if err != nil || len(list.Patterns) != 2 || len(list.Patterns[1].Units) != 0 {
			t.Errorf("the list is %+v, %v", list, err)
		}
	})
}

func TestBatch(t *testing.T) {
	for batch, most := range map[int]int{0: 3, 1: 1, 2: 2, 9: 3} {
		synctest.Test(t, func(t *testing.T) {
			broken := healthy()
			broken.err = errors.New("no more processes")
			m := newManager(map[string]*scripted{async1: broken, async2: healthy(), dmp1: healthy()})
			got, err := service(m).Restart(t.Context(), proto.RestartArgs{Batch: batch}, nil)
			if err != nil || m.busiest != most {
				t.Errorf("batch %d: %d at the same time, %v", batch, m.busiest, err)
			}
			if got.Units[0].Failed == "" || got.Units[1].Failed != "" || got.Units[2].Failed != "" {
				t.Errorf("a failure must not stop the others: %+v", got.Units)
			}
		})
	}
}

func TestRestartOutcomes(t *testing.T) {
	failed := units.State{Active: "failed", Sub: "failed", Result: "exit-code", Invocation: "new", ExitKind: "exited", ExitCode: 255}
	failedBefore := with(failed, func(s *units.State) { s.Invocation = "old" })
	cases := []struct {
		name   string
		unit   *scripted
		failed string // part of Restarted.Failed
		killed bool
		resets int
		phases string
	}{
		{"takes its time",
			&scripted{restarted: []moment{{0, stopping("stop-sigterm")}, {20 * time.Second, running("new", 20*time.Second)}}, jobTakes: 20 * time.Second},
			"", false, 1, "queued stopping started"},
		{"has to be killed",
			&scripted{restarted: []moment{{0, stopping("stop-sigterm")}, {30 * time.Second, stopping("stop-sigkill")},
				{31 * time.Second, units.State{Active: "inactive", Sub: "dead"}}, {32 * time.Second, running("new", 32*time.Second)}}, jobTakes: 33 * time.Second},
			"", true, 1, "queued stopping killing starting started"},
		{"crashes at once, in a loop",
			&scripted{restarted: []moment{{0, units.State{Active: "activating", Sub: "auto-restart", Invocation: "new", ExitKind: "exited", ExitCode: 1}}}},
			"", false, 1, "queued starting failed"},
		{"failed before",
			&scripted{now: []moment{{0, failedBefore}}, restarted: []moment{{0, running("new", 0)}}},
			"", false, 1, "queued started"},
		{"start-limited before",
			&scripted{now: []moment{{0, with(failedBefore, func(s *units.State) { s.Result = "start-limit-hit" })}}, restarted: []moment{{0, running("new", 0)}}},
			"", false, 1, "queued started"},
		{"was restarted by systemd before: its count must begin again",
			&scripted{now: []moment{{0, with(running("old", -time.Hour), func(s *units.State) { s.Restarts = 7 })}}, restarted: []moment{{0, running("new", 0)}}},
			"", false, 1, "queued started"},
		{"job failed", &scripted{restarted: []moment{{0, failed}}, job: "failed"}, "could not restart it (failed): it failed (exit-code), last exit status 255", false, 1, "queued starting failed"},
		{"job replaced", &scripted{restarted: []moment{{0, running("new", 0)}}, job: "canceled"}, "somebody else", false, 1, "queued failed"},
		{"not restarted at all", &scripted{restarted: []moment{{0, running("old", -time.Hour)}}}, "same invocation", false, 1, "queued failed"},
		{"masked", &scripted{now: []moment{{0, units.State{Load: "masked", Active: "inactive"}}}}, "masked", false, 0, "queued failed"},
		{"gone", &scripted{now: []moment{{0, units.State{Load: "not-found", Active: "inactive"}}}}, "no such unit", false, 0, "queued failed"},
		{"gone in between", &scripted{err: units.ErrNotFound}, "no such unit", false, 1, "queued failed"},
		{"stopped again", &scripted{restarted: []moment{{0, units.State{Active: "inactive", Sub: "dead", Invocation: "new"}}}}, "it does not run", false, 1, "queued starting failed"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if c.unit.now == nil {
					c.unit.now = []moment{{0, running("old", -time.Hour)}}
				}
				fix(c.unit)
				m := newManager(map[string]*scripted{async1: c.unit})
				var s seen
				got, err := service(m).Restart(t.Context(), proto.RestartArgs{Only: []proto.UnitPattern{async1}}, s.emit)
				if err != nil {
					t.Fatal(err)
				}
				u := got.Units[0]
				if !strings.Contains(string(u.Failed), c.failed) || (u.Failed == "") != (c.failed == "") || u.Killed != c.killed {
					t.Errorf("got %+v", u)
				}
				if c.unit.resets != c.resets {
					t.Errorf("reset %d times, want %d", c.unit.resets, c.resets)
				}
				if phases := s.phases(async1); phases != c.phases {
					t.Errorf("phases: %s, want %s", phases, c.phases)
				}
			})
		})
	}
}

// fix moves the times of states that were made outside the bubble into it.
func fix(u *scripted) {
	for _, life := range [][]moment{u.now, u.restarted} {
		for i := range life {
			if !life[i].state.Started.IsZero() {
				life[i].state.Started = time.Now().Add(life[i].at)
			}
		}
	}
}

func TestStoppingIsToldEachSecondWithItsTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := healthy()
		u.restarted = []moment{{0, stopping("stop-sigterm")}, {5 * time.Second, running("new", 5*time.Second)}}
		u.jobTakes = 5 * time.Second
		var s seen
		if _, err := service(newManager(map[string]*scripted{async1: u})).Restart(t.Context(), proto.RestartArgs{Only: []proto.UnitPattern{async1}}, s.emit); err != nil {
			t.Fatal(err)
		}
		last, told := int64(0), 0
		for _, e := range s.events {
			if e.Phase != proto.PhaseStopping {
				continue
			}
			told++
			if e.TimeoutMS != 30000 || e.ElapsedMS-last > 1000 {
				t.Errorf("%+v after %d ms", e, last)
			}
			last = e.ElapsedMS
		}
		if last < 4000 || told > 11 {
			t.Errorf("told %d times, last at %d ms", told, last)
		}
	})
}

func TestCancelledRestartTellsWhatIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := healthy()
		slow.jobTakes = time.Hour
		m := newManager(map[string]*scripted{async1: healthy(), async2: slow, dmp1: healthy()})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		got, err := service(m).Restart(ctx, proto.RestartArgs{Batch: 1}, nil)
		if code(err) != proto.CodeCancelled || len(got.Units) != 3 {
			t.Fatalf("got %+v, %v", got, err)
		}
		for i, want := range []string{"", "goes on", "before its turn"} {
			if u := got.Units[i]; !strings.Contains(string(u.Failed), want) || (want == "") != (u.Failed == "") {
				t.Errorf("%+v, want %q", u, want)
			}
		}
		if m.units[dmp1].restarts != 0 {
			t.Error("a unit was restarted after the end")
		}
	})
}

func TestRefusedByPolkit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := func() *scripted {
			u := healthy()
			u.err = fmt.Errorf("%w: InteractiveAuthorizationRequired", units.ErrRefused)
			return u
		}
		m := newManager(map[string]*scripted{async1: refused(), dmp1: refused()})
		_, err := service(m).Restart(t.Context(), proto.RestartArgs{}, nil)
		if code(err) != proto.CodePolkit {
			t.Errorf("got %v", err)
		}
		silent := refused()
		silent.err = fmt.Errorf("%w: InteractiveAuthorizationRequired", units.ErrNoRule)
		m = newManager(map[string]*scripted{async1: refused(), dmp1: silent})
		if _, err := service(m).Restart(t.Context(), proto.RestartArgs{}, nil); !strings.Contains(fmt.Sprint(err), "no rule speaks") {
			t.Errorf("the missing rule is not named: %v", err)
		}
		m = newManager(map[string]*scripted{async1: healthy(), dmp1: refused()})
		got, err := service(m).Restart(t.Context(), proto.RestartArgs{}, nil)
		if err != nil || !strings.Contains(string(got.Units[1].Failed), "refused") {
			t.Errorf("one of two refused: %+v, %v", got, err)
		}
	})
}

func TestRestartRightAfterTheSwitchCanBeProved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &scripted{now: []moment{{0, running("old", -time.Hour)}}, jobTakes: 0}
		s := service(newManager(map[string]*scripted{async1: u}))
		began := time.Now() // whole seconds in a bubble: a link whose file system keeps no more
		s.Release = &releases{switched: began}
		if _, err := s.Restart(t.Context(), proto.RestartArgs{Only: []proto.UnitPattern{async1}}, nil); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(began); waited != time.Second {
			t.Errorf("restarted %s after the switch", waited)
		}
		s.Release = &releases{switched: time.Now().Add(time.Hour)} // a clock that was set back
		began = time.Now()
		if _, err := s.Restart(t.Context(), proto.RestartArgs{Only: []proto.UnitPattern{async1}}, nil); err != nil || time.Since(began) > time.Minute {
			t.Errorf("waited %s, %v", time.Since(began), err)
		}
	})
}
