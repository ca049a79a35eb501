// Package cuts_test cuts the line between rpctl and a host after each of its bytes, this way and that:
// through the SSH handshake, the login, the greeting and every event. rpctl runs in this process, and so do
// its hosts: a cut costs milliseconds, and what either side leaves behind can be seen. The same cuts, fewer of
// them and with a process of rpctl each, are in lab/chaos.
package cuts_test

import (
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"testing"
	"time"

	"github.com/re-connect/rpctl/lab/inprocess"
	"github.com/re-connect/rpctl/lab/wire"
)

// Flags of the long way: -every 1 is every byte (docs/faults.md says what that takes).
var (
	every    = flag.Int64("every", 997, "cut the line after every so many bytes")
	sweepers = flag.Int("sweepers", 12, "hosts that are tried at the same time")
)

func TestMain(m *testing.M) {
	inprocess.RunApp()
	if err := flag.Set("test.parallel", "8"); err != nil { // the sweeps wait more than they work
		panic(err)
	}
	debug.SetGCPercent(400) // thousands of commands: cobra keeps something of each of them for good
	flag.Parse()
	os.Exit(m.Run())
}

// Exit codes of docs/exit-codes.md: over a line that is sound, that was cut with a word, and without one.
var (
	sound = []int{0}
	cut   = []int{0, 3, 5, 6}
	mute  = []int{0, 3, 5, 6, 8}
)

// The commands that are cut off.
var (
	status   = []string{"status"}
	restart  = []string{"restart"}
	simulate = []string{"migrate", "--plan", planFile}
)

// TestCuts goes over the lines of all commands.
func TestCuts(t *testing.T) {
	noneOpen(t)
	for name, try := range map[string]func(*testing.T){
		"status": cutStatus, "restart": cutRestart, "simulation": cutSimulation, "half-open": halfOpen,
		"slices": through(wire.Weather{Slice: 1}), "late slices": through(wire.Weather{Slice: 1, Latency: 20 * time.Millisecond}),
		"narrow": through(wire.Weather{Rate: 8 << 10}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			try(t)
		})
	}
}

// cutStatus: a question that was cut off is answered, or rpctl says which host did not answer.
func cutStatus(t *testing.T) {
	sweep(t, care{}, status, func(s *sweeper, c wire.Cut) {
		s.proxy().CutEach(&c)
		s.judge(s.rpctl(status...), cut)
	}, wire.Close, wire.Reset)
}

// cutRestart: each worker is restarted once or not at all, and the host is free and well.
func cutRestart(t *testing.T) {
	sweep(t, care{}, restart, func(s *sweeper, c wire.Cut) {
		s.proxy().CutEach(&c)
		s.restarted(s.rpctl(restart...), cut)
	}, wire.Close, wire.Reset)
}

// cutSimulation cuts the first connection alone: the job is started once or not at all, comes to its end,
// and rpctl sees it there or says how to ask.
func cutSimulation(t *testing.T) {
	sweep(t, care{}, simulate, func(s *sweeper, c wire.Cut) {
		s.proxy().CutNext(c)
		s.simulated(s.rpctl(simulate...), cut)
	}, wire.Close, wire.Reset)
}

// halfOpen lets bytes vanish and tells nobody: both sides notice by themselves, here sooner than after the
// 30 s that rpctl and rp-agent take. Where rpctl gives up before so many bytes have passed, on a machine that
// has other work, it is tried again.
func halfOpen(t *testing.T) {
	const tries = 5
	sweep(t, care{alive: 2 * time.Second, silence: 8 * time.Second}, restart, func(s *sweeper, c wire.Cut) {
		s.proxy().CutEach(&c)
		for range tries {
			a := s.rpctl(append([]string{"--timeout", "2s"}, restart...)...)
			if s.restarted(a, mute); a.struck || a.code == 0 {
				return
			}
		}
	}, wire.Mute)
}

// through types every command over a line that is slow, and sound.
func through(weather wire.Weather) func(*testing.T) {
	return func(t *testing.T) {
		s := farm(t, 1, care{})[0]
		s.what = fmt.Sprintf("%+v", weather)
		s.proxy().Turn(weather)
		s.judge(s.rpctl(status...), sound)
		s.restarted(s.rpctl(restart...), sound)
		s.simulated(s.rpctl(simulate...), sound)
	}
}
