package cuts_test

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/re-connect/rpctl/lab/wire"
)

// slack is by how many bytes the lengths of conversations differ: times and counts are in them.
const slack = 64

// sweep gives every cut of a command's connection to one of the hosts.
func sweep(t *testing.T, c care, args []string, try func(*sweeper, wire.Cut), how ...wire.Ending) {
	patient := farm(t, 1, care{})[0]
	a := patient.rpctl(args...)
	if patient.judge(a, sound); t.Failed() {
		return
	}
	hosts := farm(t, *sweepers, c)
	before, _ := goroutines(t)
	began, cuts := time.Now(), cutsOf(a.up+slack, a.down+slack, how)
	queue := make(chan wire.Cut)
	var wait sync.WaitGroup
	for _, s := range hosts {
		wait.Go(func() {
			for c := range queue {
				s.what = name(c)
				try(s, c)
			}
		})
	}
	for _, c := range cuts {
		queue <- c
	}
	close(queue)
	wait.Wait()
	struck := tell(t, hosts)
	t.Logf("%v: %d bytes up, %d down; %d cuts tried, %d connections cut, %s", args, a.up, a.down, len(cuts), struck, time.Since(began).Round(time.Millisecond))
	goroutinesStay(t, before)
}

// tell logs how rpctl ended, and how often, and returns how many connections were cut.
func tell(t *testing.T, hosts []*sweeper) (struck int) {
	endings := map[string]int{}
	for _, s := range hosts {
		struck += s.proxy().Cuts()
		for words, times := range s.endings {
			endings[words] += times
		}
	}
	for _, words := range slices.Sorted(maps.Keys(endings)) {
		t.Logf("%6d times %s", endings[words], words)
	}
	return struck
}

// cutsOf are the cuts this way and that of a connection that carries so many bytes.
func cutsOf(up, down int64, how []wire.Ending) (cuts []wire.Cut) {
	for n := int64(0); n <= max(up, down); n += *every {
		for _, ending := range how {
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

func name(c wire.Cut) string {
	side := map[bool]string{true: "rpctl's", false: "the host's"}[c.Up]
	return fmt.Sprintf("cut after %d of %s bytes (%s)", c.After, side, []string{"FIN", "RST", "half-open"}[c.How])
}
