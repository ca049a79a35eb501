package workers

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/re-connect/rpctl/agent/internal/units"
	"github.com/re-connect/rpctl/proto"
)

func TestStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := func(s units.State) *scripted { return &scripted{now: []moment{{0, s}}} }
		m := newManager(map[string]*scripted{
			async1:                           one(with(running("a", -time.Second), func(s *units.State) { s.Memory, s.Restarts = 50<<20, 2 })),
			async2:                           one(running("b", -time.Hour)),
			dmp1:                             one(units.State{Active: "failed", Sub: "failed", Result: "exit-code", Changed: time.Now(), ExitKind: "exited", ExitCode: 2}),
			"messenger_worker_dmp@2.service": one(with(running("c", 0), func(s *units.State) { s.Paths = nil })),
		})
		s := service(m)
		s.Patterns = slices.Concat(patterns, []proto.UnitPattern{dmp1, "messenger_worker_none@*.service"})
		got, err := s.Status(t.Context())
		if err != nil || len(got) != 4 {
			t.Fatalf("got %+v, %v", got, err)
		}
		want := []struct{ unit, code, why string }{
			{async1, proto.CodeCurrent, ""},
			{async2, proto.CodeOld, "before release 42"},
			{dmp1, proto.CodeUnknown, "last exit status 2"},
			{"messenger_worker_dmp@2.service", proto.CodeUnknown, "goes through current"},
		}
		for i, w := range want {
			g := got[i]
			if g.Unit != w.unit || g.Code != w.code || !strings.Contains(string(g.Why), w.why) || (g.Why == "") != (w.why == "") {
				t.Errorf("got %+v, want %+v", g, w)
			}
			if (len(g.Journal) > 0) != (g.Unit == dmp1) {
				t.Errorf("%s has %d lines", g.Unit, len(g.Journal))
			}
		}
		first := got[0]
		if first.Memory != 50<<20 || first.Restarts != 2 || first.PID != 100 || time.Since(first.Since) != time.Second ||
			first.Active != "active" || first.Sub != "running" || first.Pattern != string(patterns[0]) {
			t.Errorf("got %+v", first)
		}
	})
}

func TestStatusWithoutARelease(t *testing.T) {
	s := service(newManager(map[string]*scripted{async1: healthy()}))
	s.Release = &releases{err: errors.New("no current")}
	got, err := s.Status(t.Context())
	if err != nil || len(got) != 1 || got[0].Code != proto.CodeUnknown || got[0].Why == "" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestStatusWithoutAServiceManager(t *testing.T) {
	m := newManager(nil)
	m.listErr = errors.New("no bus")
	if _, err := service(m).Status(t.Context()); code(err) != proto.CodeHost || !strings.Contains(err.Error(), "no bus") {
		t.Errorf("got %v", err)
	}
}
