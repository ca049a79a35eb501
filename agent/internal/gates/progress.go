package gates

import (
	"fmt"

	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

// order: no step has run before one that comes first, and what is signed as done is recorded as done.
func order(s Standing) (why string, next proto.Advice) {
	var open plan.StepID
	for _, step := range s.Plan.Steps() {
		switch state := s.Steps[step.ID]; {
		case state == proto.StepVerified && open != "":
			return fmt.Sprintf("step %s is verified, but step %s before it is not", step.ID, open), proto.Advice{Code: proto.AdviceHistory}
		case state != proto.StepVerified && open == "":
			open = step.ID
		}
	}
	switch {
	case open == "" && s.Sealed:
		return "every step of this plan is verified already", proto.Advice{Code: proto.AdvicePlanStatus}
	case s.Sealed:
		return fmt.Sprintf("this host has signed that the plan was applied, and its record of step %s does not say so", open), proto.Advice{Code: proto.AdviceHistory}
	}
	return recorded(s)
}

// recorded: a step that was run once is known by this host's record to be done, or its loss would let it run again.
func recorded(s Standing) (why string, next proto.Advice) {
	if s.Simulation == nil {
		return "", proto.Advice{}
	}
	for _, step := range s.Simulation.Steps {
		if step.Done && s.Steps[step.Step] != proto.StepVerified {
			return fmt.Sprintf("step %s was verified before the simulation, and this host's record of it does not say so", step.Step), proto.Advice{Code: proto.AdviceHistory}
		}
	}
	return "", proto.Advice{}
}

// alone: one mutating job at a time for an application, held by the job itself.
func alone(s Standing) (why string, next proto.Advice) {
	if s.Running == "" {
		return "", proto.Advice{}
	}
	return fmt.Sprintf("job %s is running", s.Running), proto.Advice{Code: proto.AdviceAttach, Job: s.Running}
}

// unresolved: a step that failed or was interrupted waits for the operator's word.
func unresolved(s Standing) (why string, next proto.Advice) {
	for _, step := range s.Plan.Steps() {
		state := s.Steps[step.ID]
		remaining, looked := s.Looked[step.ID]
		switch {
		case !NeedsWord(state) || s.Resolved[step.ID] != "":
			continue
		case s.Running != "" && (state == proto.StepRunning || state == proto.StepVerifying):
			_, next = alone(s)
			return fmt.Sprintf("step %s is %s", step.ID, state), next
		case looked:
			return fmt.Sprintf("step %s is %s, and %d are left to move: it waits for your word, with the reason", step.ID, state, remaining), word(step.ID, remaining)
		}
		return fmt.Sprintf("step %s is %s: a fresh dry run shows what remains, then your word on it is --apply with --resolve %s=rerun or %s=done and --reason",
			step.ID, state, step.ID, step.ID), proto.Advice{Code: proto.AdviceSimulate}
	}
	for id := range s.Resolved {
		if !NeedsWord(s.Steps[id]) {
			return fmt.Sprintf("step %s needs no resolution", id), proto.Advice{Code: proto.AdvicePlanStatus}
		}
	}
	return "", proto.Advice{}
}

// word is the start of a job that brings the word that fits what is left of a step.
func word(id plan.StepID, remaining int64) proto.Advice {
	as := proto.ResolveRerun
	if remaining == 0 {
		as = proto.ResolveDone
	}
	return proto.Advice{Code: proto.AdviceResolve, Step: id, As: as, Left: remaining}
}

// NeedsWord says whether a step in this state is never run again by itself.
func NeedsWord(state proto.StepState) bool {
	switch state {
	case proto.StepFailed, proto.StepInterrupted, proto.StepUnverified, proto.StepRunning, proto.StepVerifying:
		return true
	default:
		return false
	}
}

// host: the plan is one, and this is a host that runs plans.
func host(s Standing) (why string, next proto.Advice) {
	if findings := plan.Check(s.Plan); plan.Refused(findings) {
		for _, f := range findings {
			if !f.Warning {
				return fmt.Sprintf("%s: %s", f.Path, f.Message), proto.Advice{Code: proto.AdvicePlanCheck}
			}
		}
	}
	if s.Rules.PHP == "" {
		return "this host runs no console commands, the console_host of hosts.toml does", proto.Advice{Code: proto.AdviceStatus}
	}
	return "", proto.Advice{}
}
