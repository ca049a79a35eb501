package workers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/re-connect/rpctl/agent/internal/units"
	"github.com/re-connect/rpctl/proto"
)

// expect is what a good restart left.
var expect = proto.Restarted{Unit: async1, Invocation: "new", PID: 100}

func TestVerdicts(t *testing.T) {
	type life func() []moment
	always := func(s func() units.State) life { return func() []moment { return []moment{{0, s()}} } }
	fresh := func() units.State { return running("new", 0) }
	changed := func(change func(*units.State)) life {
		return always(func() units.State { return with(fresh(), change) })
	}
	killed, failed := expect, expect
	killed.Killed = true
	failed.Failed, failed.Invocation = "systemd could not restart it (timeout)", ""
	crashed := units.State{Active: "failed", Sub: "failed", Result: "exit-code", Invocation: "new", ExitKind: "exited", ExitCode: 255}
	cases := []struct {
		name    string
		life    life
		want    proto.Restarted
		verdict proto.Verdict
		why     string // part of it
		newCode bool
	}{
		{"good", always(fresh), expect, proto.VerdictProved, "", true},
		{"not through current", changed(func(s *units.State) { s.Paths = []string{"/opt/worker"} }), expect,
			proto.VerdictNotProvable, "goes through current", false},
		{"start not known", changed(func(s *units.State) { s.Started = time.Time{} }), expect,
			proto.VerdictNotProvable, "not known", false},
		{"started before the switch", changed(func(s *units.State) { s.Started = time.Now().Add(-time.Hour) }), expect,
			proto.VerdictOldCode, "before release 42 was switched", false},
		{"waits for its next start", changed(func(s *units.State) {
			s.Active, s.Sub, s.ExitKind, s.ExitCode = "activating", "auto-restart", "exited", 1
		}), expect,
			proto.VerdictCrashLoop, "exit status 1", false},
		{"newer systemd's name for it", changed(func(s *units.State) { s.Active, s.Sub = "activating", "auto-restart-queued" }), expect,
			proto.VerdictCrashLoop, "waits to be started again", false},
		{"crashed and runs again", changed(func(s *units.State) { s.Invocation, s.Restarts = "newer", 3 }), expect,
			proto.VerdictCrashLoop, "automatic restarts since: 3", false},
		{"crashes within the settle time", func() []moment {
			return []moment{{0, fresh()}, {2 * time.Second, with(running("newer", 2*time.Second), func(s *units.State) { s.Restarts = 1 })}}
		}, expect, proto.VerdictCrashLoop, "automatic restarts since: 1", false},
		{"fails within the settle time", func() []moment { return []moment{{0, fresh()}, {time.Second, crashed}} }, expect,
			proto.VerdictCrashLoop, "last exit status 255", false},
		{"systemd gave up", always(func() units.State {
			return with(crashed, func(s *units.State) { s.Result = "start-limit-hit" })
		}), expect, proto.VerdictCrashLoop, "gave up", false},
		{"killed by a signal", always(func() units.State {
			return with(crashed, func(s *units.State) { s.Result, s.ExitKind, s.ExitCode = "signal", "killed", 9 })
		}), expect, proto.VerdictCrashLoop, "signal 9 (killed)", false},
		{"old process killed", always(fresh), killed, proto.VerdictKilled, "runs the new code", true},
		{"old process killed, new one not provable", changed(func(s *units.State) { s.Paths = nil }), killed,
			proto.VerdictKilled, "goes through current", false},
		{"old process killed, new one crashes", always(func() units.State { return crashed }), killed,
			proto.VerdictCrashLoop, "a message was cut off", false},
		{"gone", always(func() units.State { return units.State{Load: "not-found", Active: "inactive"} }), expect,
			proto.VerdictMissing, "no such unit", false},
		{"stopped by somebody", always(func() units.State { return units.State{Active: "inactive", Sub: "dead", Result: "success"} }), expect,
			proto.VerdictMissing, "does not run", false},
		{"masked", always(func() units.State { return units.State{Load: "masked", Active: "inactive"} }), expect,
			proto.VerdictFailed, "masked", false},
		{"bad unit file", always(func() units.State { return units.State{Load: "bad-setting", Active: "inactive"} }), expect,
			proto.VerdictFailed, "bad-setting", false},
		{"restart failed", always(func() units.State { return units.State{Active: "inactive", Sub: "dead"} }), failed,
			proto.VerdictFailed, "(timeout)", false},
		{"restart failed, unit failed", always(func() units.State { return crashed }), failed,
			proto.VerdictFailed, "(timeout)", false},
		{"restart failed, but it runs old code", changed(func(s *units.State) { s.Invocation, s.Started = "old", time.Now().Add(-time.Hour) }), failed,
			proto.VerdictOldCode, "before", false},
		{"restart's end not seen, but it runs new code", always(fresh), failed, proto.VerdictProved, "", true},
		{"being stopped", always(func() units.State { return stopping("stop-sigterm") }), expect,
			proto.VerdictFailed, "deactivating", false},
		{"somebody restarted it too", func() []moment {
			return []moment{{0, fresh()}, {time.Second, running("by hand", time.Second)}}
		}, expect, proto.VerdictProved, "somebody else restarted it", true},
		{"somebody restarts it all the time", func() []moment {
			var all []moment
			for i := range 20 {
				at := time.Duration(i) * time.Second
				all = append(all, moment{at, running(fmt.Sprint("by hand ", i), at)})
			}
			return all
		}, expect, proto.VerdictCrashLoop, "never the same invocation", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newManager(map[string]*scripted{async1: {now: c.life()}})
				var s seen
				got, err := service(m).Verify(t.Context(), proto.VerifyArgs{Expect: []proto.Restarted{c.want}}, s.emit)
				if err != nil {
					t.Fatal(err)
				}
				v := got.Units[0]
				if v.Verdict != c.verdict || v.NewCode != c.newCode || !strings.Contains(string(v.Why), c.why) || (v.Why == "") != (c.why == "") {
					t.Errorf("got %q, new code %v, because %q", v.Verdict, v.NewCode, v.Why)
				}
				if v.Unit != async1 || v.Pattern != string(patterns[0]) || got.Release.Name != "42" {
					t.Errorf("got %+v", got)
				}
				if lines := len(v.Journal); lines != map[bool]int{true: 0, false: excerptLines}[v.OK()] {
					t.Errorf("%d lines of the journal", lines)
				}
				end := s.events[len(s.events)-1]
				if want := map[bool]proto.Phase{true: proto.PhaseSettled, false: proto.PhaseFailed}[v.OK()]; end.Phase != want {
					t.Errorf("ends with %+v", end)
				}
			})
		})
	}
}

func TestVerifyAsTheyAreNow(t *testing.T) {
	cases := []struct {
		name    string
		life    func() []moment
		takes   time.Duration
		verdict proto.Verdict
	}{
		{"settled long ago", func() []moment { return []moment{{0, running("x", -30*time.Second)}} }, 0, proto.VerdictProved},
		{"waits for the rest", func() []moment { return []moment{{0, running("x", -time.Second)}} }, 2 * time.Second, proto.VerdictProved},
		{"started in the future: the clock was set back", func() []moment { return []moment{{0, running("x", time.Hour)}} }, 3 * time.Second, proto.VerdictProved},
		{"restarted by systemd some time ago", func() []moment {
			return []moment{{0, with(running("x", -30*time.Second), func(s *units.State) { s.Restarts = 24 })}}
		}, 0, proto.VerdictProved},
		{"young and crashing", func() []moment {
			again := func(n uint32, at time.Duration) moment {
				return moment{at, with(running(fmt.Sprint(n), at), func(s *units.State) { s.Restarts = n })}
			}
			return []moment{again(5, 0), again(6, time.Second), again(7, 2*time.Second)}
		}, 3 * time.Second, proto.VerdictCrashLoop},
		{"enabled, but does not run", func() []moment { return []moment{{0, units.State{Active: "inactive", Sub: "dead"}}} }, 0, proto.VerdictMissing},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newManager(map[string]*scripted{async1: {now: c.life()}})
				began := time.Now()
				got, err := service(m).Verify(t.Context(), proto.VerifyArgs{Only: patterns[:1]}, nil)
				if err != nil || got.Units[0].Verdict != c.verdict {
					t.Errorf("got %+v, %v", got.Units, err)
				}
				if took := time.Since(began); took != c.takes {
					t.Errorf("took %s, want %s", took, c.takes)
				}
			})
		})
	}
}

// TestVerifyWaitsForTheStart: what a second of the unit's life uses of the processor, and what Verify makes of it.
func TestVerifyWaitsForTheStart(t *testing.T) {
	const never = time.Hour
	cases := []struct {
		name           string
		worked, waited time.Duration // in each second
		until          time.Duration // after which it waits for messages
		crashes        time.Duration
		settle, takes  time.Duration
		verdict        proto.Verdict
	}{
		{"idle after its start", 400 * time.Millisecond, 0, time.Second, never, 0, 3 * time.Second, proto.VerdictProved},
		{"idle in the last second of its settle time", 400 * time.Millisecond, 0, 2 * time.Second, never, 0, 3 * time.Second, proto.VerdictProved},
		{"busy with messages", 900 * time.Millisecond, 0, never, never, 0, 3 * time.Second, proto.VerdictProved},
		{"a few messages", 40 * time.Millisecond, 0, never, never, 0, 3 * time.Second, proto.VerdictProved},
		{"an eighth of the speed", 125 * time.Millisecond, 0, 5 * time.Second, never, 0, 6 * time.Second, proto.VerdictProved},
		{"an eighth of the speed, and crashes", 125 * time.Millisecond, 0, never, 5500 * time.Millisecond, 0, 6 * time.Second, proto.VerdictCrashLoop},
		{"an eighth of the speed, and much to do", 125 * time.Millisecond, 0, never, never, 0, 7 * time.Second, proto.VerdictProved},
		{"in a crowd, and crashes", 5 * time.Millisecond, 900 * time.Millisecond, never, 40500 * time.Millisecond, 0, 41 * time.Second, proto.VerdictCrashLoop},
		{"in a crowd for ever", 5 * time.Millisecond, 900 * time.Millisecond, never, never, 0, longest, proto.VerdictProved},
		{"in a crowd, and looks for messages", 5 * time.Millisecond, 400 * time.Millisecond, never, never, 0, 3 * time.Second, proto.VerdictProved},
		{"not reported", 0, 0, never, 3500 * time.Millisecond, 0, 3 * time.Second, proto.VerdictProved},
		{"a settle time of its own", 60 * time.Millisecond, 60 * time.Millisecond, 20 * time.Second, never, 12 * time.Second, 21 * time.Second, proto.VerdictProved},
		{"a settle time beyond the longest", 10 * time.Millisecond, 60 * time.Millisecond, never, never, 2 * time.Minute, 2 * time.Minute, proto.VerdictProved},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				born := time.Now()
				u := &scripted{live: func() units.State {
					age := time.Since(born)
					if age >= c.crashes {
						return with(running("newer", age), func(s *units.State) { s.Restarts = 1 })
					}
					return with(running("new", -age), func(s *units.State) {
						seconds := int64(min(age, c.until)/time.Second) + 1 // it begins at once
						s.Worked, s.Waited = time.Duration(seconds)*c.worked, time.Duration(seconds)*c.waited
					})
				}}
				var s seen
				got, err := service(newManager(map[string]*scripted{async1: u})).Verify(t.Context(),
					proto.VerifyArgs{Expect: []proto.Restarted{expect}, SettleMS: c.settle.Milliseconds()}, s.emit)
				if took := time.Since(born); err != nil || got.Units[0].Verdict != c.verdict || took != c.takes {
					t.Errorf("%+v after %s, %v; want %s after %s", got.Units, took, err, c.verdict, c.takes)
				}
				for _, e := range s.events {
					if e.Phase == proto.PhaseSettling && e.ElapsedMS >= e.TimeoutMS {
						t.Errorf("progress of %d ms of %d ms", e.ElapsedMS, e.TimeoutMS)
					}
				}
			})
		})
	}
}

func TestRestartThenVerify(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := service(newManager(map[string]*scripted{async1: healthy(), async2: healthy(), dmp1: healthy()}))
		before, err := s.Verify(t.Context(), proto.VerifyArgs{}, nil)
		if err != nil || before.OK() || before.Units[0].Verdict != proto.VerdictOldCode {
			t.Fatalf("before: %+v, %v", before, err)
		}
		done, err := s.Restart(t.Context(), proto.RestartArgs{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		after, err := s.Verify(t.Context(), proto.VerifyArgs{Expect: done.Units, SettleMS: 5000}, nil)
		if err != nil || !after.OK() || len(after.Units) != 3 {
			t.Errorf("after: %+v, %v", after, err)
		}
		if took := time.Since(began); took > 5*time.Second || took < 4*time.Second {
			t.Errorf("settling of all took %s", took)
		}
	})
}

func TestVerifyRefuses(t *testing.T) {
	cases := []struct {
		name string
		args proto.VerifyArgs
		code proto.Code
	}{
		{"a unit of somebody else", proto.VerifyArgs{Expect: []proto.Restarted{expect, {Unit: "ssh.service"}}}, proto.CodeForbidden},
		{"a pattern as unit", proto.VerifyArgs{Expect: []proto.Restarted{{Unit: string(patterns[0])}}}, proto.CodeBadRequest},
		{"too many", proto.VerifyArgs{Expect: make([]proto.Restarted, MaxUnits+1)}, proto.CodeBadRequest},
		{"negative settle time", proto.VerifyArgs{SettleMS: -1}, proto.CodeBadRequest},
		{"endless settle time", proto.VerifyArgs{SettleMS: 1 << 60}, proto.CodeBadRequest},
		{"pattern without instances", proto.VerifyArgs{}, proto.CodeNoUnits},
		{"forbidden pattern", proto.VerifyArgs{Only: []proto.UnitPattern{"a@*.service"}}, proto.CodeForbidden},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := service(newManager(map[string]*scripted{async1: healthy()})).Verify(t.Context(), c.args, nil)
			if code(err) != c.code {
				t.Errorf("got %v, want %s", err, c.code)
			}
		})
	}
}

func TestVerifyWithoutARelease(t *testing.T) {
	s := service(newManager(map[string]*scripted{async1: healthy()}))
	s.Release = &releases{err: &proto.Error{Code: proto.CodeRelease, Message: "cannot read current"}}
	if _, err := s.Verify(t.Context(), proto.VerifyArgs{Only: patterns[:1]}, nil); code(err) != proto.CodeRelease {
		t.Errorf("got %v", err)
	}
}

func TestVerifyJudgesByTheReleaseAfterTheSettleTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(map[string]*scripted{async1: {now: []moment{{0, running("new", 0)}}}})
		r := &releases{switched: time.Now().Add(-time.Minute)}
		s := service(m)
		s.Release = r
		switching := func(p proto.UnitProgress) {
			if p.Phase == proto.PhaseSettling && p.ElapsedMS == 1000 {
				r.switched = time.Now()
			}
		}
		got, err := s.Verify(t.Context(), proto.VerifyArgs{Expect: []proto.Restarted{expect}}, switching)
		if err != nil || got.Units[0].Verdict != proto.VerdictOldCode {
			t.Errorf("got %+v, %v", got.Units, err)
		}
	})
}

func TestVerifyCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(map[string]*scripted{async1: {now: []moment{{0, running("new", 0)}}}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := service(m).Verify(ctx, proto.VerifyArgs{Expect: []proto.Restarted{expect}}, nil); code(err) != proto.CodeCancelled {
			t.Errorf("got %v", err)
		}
	})
}

func TestAnswerFitsOnALineWhateverTheJournalHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := map[string]*scripted{}
		var expected []proto.Restarted
		for i := range MaxUnits {
			name := fmt.Sprintf("messenger_worker_async@%d.service", i)
			all[name] = &scripted{now: []moment{{0, units.State{Active: "failed", Sub: "failed", Result: "exit-code"}}}}
			expected = append(expected, proto.Restarted{Unit: name})
		}
		got, err := service(newManager(all)).Verify(t.Context(), proto.VerifyArgs{Expect: expected}, nil)
		if err != nil {
			t.Fatal(err)
		}
		line, err := json.Marshal(got)
		if err != nil || len(line) > proto.MaxLine*9/10 {
			t.Errorf("%d bytes, %v", len(line), err)
		}
		if first, last := got.Units[0], got.Units[MaxUnits-1]; len(first.Journal) != excerptLines || len(last.Journal) != 0 || !strings.Contains(string(last.Why), "rpctl logs") {
			t.Errorf("first has %d lines, last %d: %s", len(first.Journal), len(last.Journal), last.Why)
		}
	})
}

// TestSecretsOfACrash: a worker that cannot start says what it was configured with.
func TestSecretsOfACrash(t *testing.T) {
	s := service(newManager(map[string]*scripted{async1: {now: []moment{{0, units.State{Active: "failed", Result: "exit-code"}}}}}))
	s.Journal = said("cannot connect to amqp://app:hush@mq/, APP_SECRET=hush " + strings.Repeat("x", excerptMessage))
	got, err := s.Verify(t.Context(), proto.VerifyArgs{Expect: []proto.Restarted{expect}}, nil)
	if err != nil || len(got.Units[0].Journal) != 1 {
		t.Fatalf("got %+v, %v", got, err)
	}
	if line := got.Units[0].Journal[0].Message; strings.Contains(string(line), "hush") || !strings.HasPrefix(string(line), "cannot connect to amqp://[hidden]@mq/, APP_SECRET=[hidden] ") {
		t.Errorf("shown: %s", line)
	}
}

// said is a journal of one line.
type said string

func (s said) Tail(context.Context, string, int) ([]proto.LogLine, error) {
	return []proto.LogLine{{Message: proto.HostText(string(s))}}, nil
}

func TestJournalThatCannotBeReadHidesNoVerdict(t *testing.T) {
	s := service(newManager(map[string]*scripted{async1: {now: []moment{{0, units.State{Active: "failed", Result: "exit-code"}}}}}))
	for _, journal := range []Tailer{nil, tail{errors.New("no rights")}} {
		s.Journal = journal
		got, err := s.Verify(t.Context(), proto.VerifyArgs{Expect: []proto.Restarted{expect}}, nil)
		if err != nil || got.Units[0].Verdict != proto.VerdictCrashLoop {
			t.Errorf("got %+v, %v", got, err)
		}
		if journal != nil && !strings.Contains(string(got.Units[0].Why), "no rights") {
			t.Errorf("why: %s", got.Units[0].Why)
		}
	}
}
