package workers

import (
	"strings"
	"time"

	"github.com/re-connect/rpctl/agent/internal/units"
	"github.com/re-connect/rpctl/proto"
)

// often is the least time between two events of the same phase of one unit: the manager
// shows every change, a person wants about one a second.
const often = 500 * time.Millisecond

// tracker turns the states that a restarting unit goes through into progress.
type tracker struct {
	unit   string
	before units.State
	out    *emitter

	phase       proto.Phase
	began, told time.Time
	killed      bool // the old process was stopped by SIGKILL
}

// observe is told each state; it is called from one goroutine.
func (t *tracker) observe(s units.State) {
	phase := t.phaseOf(s)
	if phase == "" || t.over(phase) {
		return
	}
	now := time.Now()
	if phase != t.phase {
		t.phase, t.began, t.told = phase, now, time.Time{}
	}
	if now.Sub(t.told) < often {
		return
	}
	t.told = now
	event := proto.UnitProgress{Unit: t.unit, Phase: phase, ElapsedMS: now.Sub(t.began).Milliseconds()}
	if phase == proto.PhaseStopping {
		event.TimeoutMS = s.TimeoutStop.Milliseconds()
	}
	t.out.tell(event)
}

func (t *tracker) phaseOf(s units.State) proto.Phase {
	stopping := s.Active == "deactivating"
	// Result is reset by the start that follows, so it counts only before.
	if t.before.MainPID != 0 && (strings.Contains(s.Sub, "sigkill") || stopping && s.Result == "timeout") {
		t.killed = true
		return proto.PhaseKilling
	}
	switch {
	case stopping:
		return proto.PhaseStopping
	case s.Running():
		return "" // the old process, before it is told; or the new one, which the job's end tells
	}
	return proto.PhaseStarting
}

// over says that phase is behind us: the manager's changes may come late or twice.
func (t *tracker) over(phase proto.Phase) bool { return rank[phase] < rank[t.phase] }

var rank = map[proto.Phase]int{proto.PhaseStopping: 1, proto.PhaseKilling: 2, proto.PhaseStarting: 3}
