package status

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/re-connect/rpctl/proto"
)

// rank orders problems, worst first: what does no work at all, then what works
// with the wrong code, then what works now and then.
type rank int

const (
	worstUnreadable rank = iota // the service manager tells nothing
	worstMissing
	worstOld
	worstCrash
	worstFailed
	worstRelease
	worstState // the host's own records
)

type problem struct {
	rank  rank
	words string
}

type problems []problem

func (p *problems) add(r rank, words string) { *p = append(*p, problem{r, words}) }

// words is the problems, worst first, each in the order in which it was found.
func (p problems) words() []proto.HostText {
	sorted := slices.Clone(p)
	slices.SortStableFunc(sorted, func(a, b problem) int { return cmp.Compare(a.rank, b.rank) })
	var words []proto.HostText
	for _, one := range sorted {
		words = append(words, proto.HostText(one.words))
	}
	return words
}

func (p *problems) workers(patterns []proto.UnitPattern, all []proto.WorkerStatus, now time.Time) {
	for _, pattern := range patterns {
		if !slices.ContainsFunc(all, func(w proto.WorkerStatus) bool { return pattern.Match(w.Unit) }) {
			p.add(worstMissing, fmt.Sprintf("missing: %s has no instance on this host", pattern))
		}
	}
	for _, w := range all {
		p.worker(w, now)
	}
}

// worker finds at most one problem of a worker. One that is just being stopped or
// started is none: a restart may be under way.
func (p *problems) worker(w proto.WorkerStatus, now time.Time) {
	say := func(r rank, kind, why string) { p.add(r, strings.TrimSuffix(kind+": "+w.Unit+": "+why, ": ")) }
	switch {
	case w.Active == "":
		say(worstUnreadable, "unknown", string(w.Why))
	case w.Active == "inactive":
		say(worstMissing, "missing", string(w.Why))
	case strings.HasPrefix(w.Sub, "auto-restart"):
		say(worstCrash, "crash loop", fmt.Sprintf("%s; automatic restarts: %d", w.Why, w.Restarts))
	case w.Active == "failed":
		say(worstFailed, "failed", string(w.Why))
	case crashing(w, now):
		say(worstCrash, "crash loop", fmt.Sprintf("it runs only since %s; automatic restarts: %d", age(now.Sub(w.Since)), w.Restarts))
	case w.Code == proto.CodeOld:
		say(worstOld, "old code", string(w.Why))
	}
}

// crashing says that a worker that runs at this moment looks as if it never lived long. A
// worker with --time-limit or --limit is restarted now and then too, so it takes several
// restarts and a very young process.
func crashing(w proto.WorkerStatus, now time.Time) bool {
	const several, young = 3, 10 * time.Second
	return w.Active == "active" && w.Restarts >= several && !w.Since.IsZero() && now.Sub(w.Since) < young
}
