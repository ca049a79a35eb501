package deploy

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/fleet"
)

// wave is hosts that restart together and are verified before the next wave begins.
type wave struct {
	hosts []*host
	title string // which one it is, where there are several
}

// names is the aliases of a wave's hosts; nil outside the roll.
func (w wave) names() []string {
	var names []string
	for _, h := range w.hosts {
		names = append(names, h.name())
	}
	return names
}

// defaultShare of all hosts restart at the same time where nothing else is said: the others
// are at work meanwhile.
const defaultShare = 10

// waves divides the hosts that take part. The first goes alone: what is wrong with the new
// code is learnt from one host.
func (r *run) waves() []wave {
	left := r.remaining()
	size := r.Wave
	if size <= 0 {
		size = max(1, len(left)/defaultShare)
	}
	var all []wave
	for n := 1; len(left) > 0; n = size {
		n = min(n, len(left))
		all = append(all, wave{hosts: left[:n]})
		left = left[n:]
	}
	for i := range all {
		switch {
		case len(all) == 1:
		case size == 1:
			all[i].title = fmt.Sprintf("%s (%d of %d)", all[i].hosts[0].name(), i+1, len(all))
		default:
			all[i].title = fmt.Sprintf("wave %d of %d, %s", i+1, len(all), countedHosts(len(all[i].hosts)))
		}
	}
	return all
}

// roll does the steps for one wave after the other, and says whether the operation may go on.
// Once as many hosts have failed as the budget allows, no further host is touched.
func (r *run) roll(ctx context.Context, steps []step) bool {
	all := r.waves()
	defer func() { r.wave = wave{} }()
	for i, w := range all {
		r.wave = w
		for _, s := range steps {
			if !r.one(ctx, s) {
				return false
			}
		}
		if i < len(all)-1 && r.failed() >= max(r.MaxFail, 1) {
			r.halted = true
			return false
		}
	}
	return r.restartedAny()
}

// failed counts the hosts that count against the budget. One that was lost says nothing of
// the new code, and neither does an old process that was cut off: the others are not kept from it.
func (r *run) failed() int {
	count := 0
	for _, h := range r.hosts {
		if !h.asked {
			continue
		}
		if (h.err != nil && !errors.Is(h.err, fleet.ErrLost)) || !h.runsNewCode() {
			count++
		}
	}
	return count
}

// runsNewCode says that no verdict of the host speaks against the new code.
func (h *host) runsNewCode() bool {
	for _, v := range h.verdicts {
		if !v.OK() && !v.NewCode {
			return false
		}
	}
	return true
}

func (r *run) restartedAny() bool {
	for _, h := range r.hosts {
		if h.restarted != nil {
			return true
		}
	}
	return false
}

// spent is a failure that ended the roll: what failed, which hosts were left, and what finishes.
func (r *run) spent(why exit.Error) exit.Error {
	var left []string
	done := 0
	for _, h := range r.hosts {
		if !h.asked {
			left = append(left, h.name())
		} else if r.codeOf(h) == codeNew {
			done++
		}
	}
	state := "on old code"
	if !r.switched {
		state = "as they were"
	}
	if done > 0 && why.Code != exit.Failed {
		why.Code = exit.Partial
	}
	why.Message += fmt.Sprintf("; the roll stopped there (--max-fail %d) and left %s %s: %s",
		max(r.MaxFail, 1), countedHosts(len(left)), state, fewNames(left))
	if why.Message += "; once it is mended, `" + r.finish() + "` finishes"; why.Next == "" {
		why.Next = r.finish()
	}
	return why
}

func countedHosts(hosts int) string {
	if hosts == 1 {
		return "1 host"
	}
	return fmt.Sprintf("%d hosts", hosts)
}

// fewNames is what fits into a message of a list of hosts; the table has all of them.
func fewNames(names []string) string {
	const most = 8
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
