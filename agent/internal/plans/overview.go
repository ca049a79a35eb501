package plans

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/re-connect/rpctl/agent/internal/gates"
	"github.com/re-connect/rpctl/proto"
)

// Overview is the plans that are not applied, those that changed last first. A plan that cannot be
// read is left out, with the error of the first such. A folder to which no plan came, because the disk
// was full or the power went, is none.
func (f Folder) Overview(now time.Time) ([]proto.PlanState, error) {
	entries, err := os.ReadDir(f.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []proto.PlanState
	var first error
	for _, entry := range entries {
		state, err := f.state(entry.Name(), now)
		switch {
		case errors.Is(err, errNoPlan):
		case err != nil && first == nil:
			first = err
		case err == nil && (state.State != "applied" || state.BreakGlass != ""):
			all = append(all, state)
		}
	}
	slices.SortFunc(all, func(a, b proto.PlanState) int { return b.Changed.Compare(a.Changed) })
	return all, first
}

func (f Folder) state(digest string, now time.Time) (proto.PlanState, error) {
	p, err := f.Plan(digest)
	if err != nil {
		return proto.PlanState{}, err
	}
	e, err := f.Evidence(digest, now)
	if err != nil {
		return proto.PlanState{}, err
	}
	state := proto.PlanState{Plan: digest, Ticket: proto.HostText(p.Ticket), Centre: proto.HostText(p.Centre), Steps: len(p.Steps()), Changed: e.Latest(), State: "known"}
	switch {
	case e.Applied != nil:
		state.State = "applied"
		if now.Before(e.Applied.Expires) {
			state.BreakGlass = proto.HostText(e.Applied.BreakGlass)
		}
	case e.Steps.Begun():
		state.State, state.BreakGlass = "begun", proto.HostText(e.Steps.BreakGlass)
	case e.Approval != nil && e.Approval.Revoked == "" && e.Simulation != nil && e.Approval.Figures == e.Simulation.FiguresDigest():
		state.State = "approved"
	case e.Simulation != nil:
		state.State = "simulated"
	}
	for _, step := range e.Steps.Steps {
		if step.State == proto.StepVerified {
			state.Verified++
		}
		if gates.NeedsWord(step.State) {
			state.Waiting = append(state.Waiting, step.Step)
		}
	}
	return state, nil
}
