package chaos

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/re-connect/rpctl/lab/wire"
	"github.com/re-connect/rpctl/proto"
)

// told are the ends that both sides hear of.
func told(up, down int64) []wire.Cut { return wireCuts(up, down, wire.Close, wire.Reset) }

// wireCuts are cuts this way and that, of a connection that carries so many bytes.
func wireCuts(up, down int64, how ...wire.Ending) (cuts []wire.Cut) {
	for _, ending := range how {
		for n := int64(0); n <= max(up, down); n += *sweepEvery {
			if n <= up {
				cuts = append(cuts, wire.Cut{After: n, Up: true, How: ending})
			}
			if n <= down {
				cuts = append(cuts, wire.Cut{After: n, How: ending})
			}
		}
	}
	return cuts
}

// words puts the sweeper's plan where PLAN stands.
func (s sweeper) words(args []string) []string {
	words := append([]string{}, args...)
	for i, word := range words {
		if word == "PLAN" {
			words[i] = s.plan
		}
	}
	return words
}

func name(c wire.Cut) string {
	side := map[bool]string{true: "rpctl's", false: "the host's"}[c.Up]
	return fmt.Sprintf("cut after %d of %s bytes (%s)", c.After, side, []string{"closed", "reset", "mute"}[c.How])
}

// TestSweepOfTheWire cuts every connection of `rpctl status` after N bytes, for N over the whole of it.
func TestSweepOfTheWire(t *testing.T) {
	t.Parallel()
	sweep(t, []string{"status"}, told, func(s sweeper, c wire.Cut) {
		a := s.typed(func(p *wire.Proxy) { p.CutEach(&c) }, toldWithin, "status")
		s.told(name(c), a, 0, 3, 5, 6)
	})
}

// TestSweepOfHalfOpenLines lets bytes vanish in four places, and tells nobody.
func TestSweepOfHalfOpenLines(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("each cut is half a minute of waiting")
	}
	places := func(up, down int64) []wire.Cut {
		return []wire.Cut{{After: 10, How: wire.Mute}, {After: down / 2, How: wire.Mute}, {After: up / 2, Up: true, How: wire.Mute}, {After: down * 9 / 10, How: wire.Mute}}
	}
	sweep(t, []string{"status"}, places, func(s sweeper, c wire.Cut) {
		a := s.typed(func(p *wire.Proxy) { p.CutEach(&c) }, mutedWithin, "status")
		s.told(name(c), a, 0, 3, 5, 6, 8)
	})
}

// TestSweepOfARestart: whatever cuts the connection of who holds a host, the host is free again.
func TestSweepOfARestart(t *testing.T) {
	t.Parallel()
	sweep(t, []string{"restart"}, told, func(s sweeper, c wire.Cut) {
		a := s.typed(func(p *wire.Proxy) { p.CutEach(&c) }, toldWithin, "restart")
		s.told(name(c), a, 0, 3, 5, 6)
		s.free(name(c))
		if a := s.typed(fair, toldWithin, "status"); a.code != 0 {
			s.Errorf("%s: afterwards status ends with %d: %s", name(c), a.code, a.stderr)
		}
	})
}

// TestSweepOfASimulation cuts the first connection alone: the job is started once or not at all, it
// comes to its end, and rpctl sees it there or says how to ask.
func TestSweepOfASimulation(t *testing.T) {
	t.Parallel()
	sweep(t, []string{"migrate", "--plan", "PLAN"}, told, func(s sweeper, c wire.Cut) {
		s.simulates(name(c), func(p *wire.Proxy) { p.CutNext(c) })
	})
}

// TestSweepOfTheProtocol cuts the agent's own words after N bytes: the greeting and the first events.
func TestSweepOfTheProtocol(t *testing.T) {
	t.Parallel()
	firstEvents := func(int64, int64) (cuts []int64) {
		for n := int64(1); n <= 2000; n += max(1, *sweepEvery/4) {
			cuts = append(cuts, n)
		}
		return cuts
	}
	sweep(t, []string{"migrate", "--plan", "PLAN"}, firstEvents, func(s sweeper, n int64) {
		s.simulates(fmt.Sprintf("cut after %d bytes of the agent's", n), func(*wire.Proxy) { s.cut.Store(n) })
		s.cut.Store(0)
	})
}

// simulates is a simulation over a line that is cut once.
func (s sweeper) simulates(what string, prepare func(*wire.Proxy)) {
	before := len(s.jobs(what))
	a := s.typed(prepare, toldWithin, "migrate", "--plan", s.plan)
	s.told(what, a, 0, 3, 5, 6)
	s.free(what)
	jobs := s.jobs(what)
	switch {
	case slices.ContainsFunc(jobs, func(r record) bool { return !r.Job.State.Ended() }):
		s.Errorf("%s: a job has no end: %+v", what, jobs)
	case len(jobs) > before+1:
		s.Errorf("%s: %d jobs were started", what, len(jobs)-before)
	case a.code == 0 && (len(jobs) != before+1 || jobs[before].Job.State != proto.JobSucceeded):
		s.Errorf("%s: rpctl says that all is well, and the host: %+v", what, jobs)
	}
}

// jobs are the host's, oldest first, as they lie on its disk.
func (s sweeper) jobs(what string) []record {
	all, err := recordsIn(filepath.Join(s.host.Agent.State, "jobs"))
	if err != nil {
		s.Errorf("%s: %v", what, err)
	}
	return all
}
