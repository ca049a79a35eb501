package plans

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/re-connect/rpctl/agent/internal/gates"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

// Carried is what goes along with the real run of a step, so that the process that executes it can judge by
// itself. It comes from the agent's user: only what is signed in it counts.
type Carried struct {
	Start      proto.JobStartArgs `json:"start"`
	Operator   string             `json:"operator"`
	Created    time.Time          `json:"created"` // when the start was admitted
	Step       plan.StepID        `json:"step"`
	Simulation proto.Signed       `json:"simulation"`
	Approval   *proto.Signed      `json:"approval,omitempty"`
}

// StartLife is how long after its start a job may begin real runs.
const StartLife = 24 * time.Hour

// Verify returns the step that may be run for real, or an error that says why none may. It judges by the rules
// and the files of keys that root wrote and by signatures of people and of other hosts, and reads nothing that the
// agent's user keeps: the times of a start that nobody signed, the order of steps and drift are that user's word.
func (f Folder) Verify(c Carried, rules proto.Console, revision string, now time.Time) (plan.Step, error) {
	switch age := now.Sub(c.Created); {
	case c.Start.Kind != proto.KindApply:
		return plan.Step{}, errors.New("the start is of no job that applies a plan")
	case age > StartLife:
		return plan.Step{}, fmt.Errorf("the job was started at %s, and begins steps for %d hours", stamp(c.Created), StartLife/time.Hour)
	case age < -proto.ClockSkew:
		return plan.Step{}, fmt.Errorf("the job was started at %s, which is in the future", stamp(c.Created))
	}
	at := slices.IndexFunc(c.Start.Plan.Steps(), func(s plan.Located) bool { return s.ID == c.Step })
	if at < 0 {
		return plan.Step{}, fmt.Errorf("the plan has no step %.20q", c.Step)
	}
	e, err := f.carried(c)
	if err != nil {
		return plan.Step{}, err
	}
	standing, err := f.standing(Question{
		Start: c.Start, Operator: c.Operator, Rules: &rules, Revision: revision, Asked: c.Created, Now: c.Created,
	}, e)
	if err != nil {
		return plan.Step{}, err
	}
	if refusal := e.explained(gates.AtUse(standing), standing); refusal != nil {
		return plan.Step{}, refusal
	}
	if e.Simulation.Steps[at].Done {
		return plan.Step{}, fmt.Errorf("step %s was done before the simulation", c.Step)
	}
	return c.Start.Plan.Steps()[at].Step, nil
}

// carried is the evidence that comes along. The simulation is not verified: the host's own key is the agent's
// user's. Its figures count for what people signed of them.
func (f Folder) carried(c Carried) (Evidence, error) {
	e := Evidence{Doubts: map[int]string{}}
	var simulation proto.Simulation
	if err := proto.DecodeStrict([]byte(c.Simulation.Body), &simulation); err != nil {
		return e, fmt.Errorf("the simulation is not understood: %w", err)
	}
	e.Simulation, e.SignedSimulation = &simulation, &c.Simulation
	return e, f.approved(c.Approval, c.Created, &e)
}
