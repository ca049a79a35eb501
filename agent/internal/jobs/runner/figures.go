package runner

import (
	"fmt"
	"slices"
	"time"

	"github.com/re-connect/rpctl/agent/internal/plans"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

// maxSimulation bounds a simulation, in bytes: it crosses the wire within a job's event.
const maxSimulation = 256 << 10

// signSimulation signs the dry runs of a plan, and puts that in the place of an earlier simulation. Of a
// plan that is applied there is nothing left to sign.
//
// No job may change the data meanwhile, nor the marks of this plan's steps: they are written here too.
func (w *work) signSimulation() (*proto.Error, error) {
	release, err := w.Jobs.OwnApplication()
	switch {
	case err != nil:
		return nil, err
	case release == nil:
		return w.unsigned("gate 7 (alone) is closed: a job changes the data of this application"), nil
	}
	defer release()
	e, err := w.Plans.Evidence(w.digest, w.now())
	if err != nil {
		return nil, err
	}
	if e.Applied != nil {
		if slices.ContainsFunc(w.record.Job.Steps, func(s proto.JobStep) bool { return s.State != proto.StepVerified }) {
			return w.unsigned("this host has signed that the plan was applied, and its record of the steps does not say so"), nil
		}
		return nil, nil
	}
	if lost := w.lost(e); lost != nil {
		return lost, nil
	}
	why, err := w.wentOn(e)
	switch {
	case err != nil:
		return nil, err
	case why != "":
		return w.unsigned(why), nil
	}
	simulation, refusal := w.simulation(e)
	if refusal != nil {
		return refusal, nil
	}
	if simulation.Audit, err = w.head(); err != nil {
		return nil, err
	}
	if err := w.sign(proto.NamespaceSimulation, simulation); err != nil {
		return nil, err
	}
	return nil, w.Plans.SaveSteps(w.digest, plans.Steps{Job: w.record.Job.ID, Time: w.now(), Steps: w.marks(e)})
}

// unsigned is why a simulation that was made proves nothing.
func (w *work) unsigned(why string) *proto.Error {
	return &proto.Error{Code: proto.CodeGate, Message: proto.HostText("cannot sign the simulation: " + why), Advice: proto.Advice{Code: proto.AdviceSimulate}}
}

func (w *work) simulation(e plans.Evidence) (proto.Simulation, *proto.Error) {
	if why := w.switched(); why != "" {
		return proto.Simulation{}, w.unsigned(why)
	}
	figures := make([]plan.Figures, len(w.steps))
	for i, step := range w.record.Job.Steps {
		if step.State != proto.StepVerified {
			figures[i] = step.Result.Figures
		}
	}
	done := func(id plan.StepID) bool { return w.record.Step(id).State == proto.StepVerified }
	forecasts, err := plan.Forecasts(w.spec.Args.Plan, figures, done)
	if err != nil {
		return proto.Simulation{}, w.unsigned(err.Error())
	}
	now := w.now()
	hours := w.Config.Console.SimulationHours
	if hours <= 0 {
		hours = proto.DefaultSimulationHours
	}
	s := proto.Simulation{
		Kind: "simulation", Environment: w.Config.Environment, Host: w.Name, Plan: w.digest, Revision: w.record.Revision,
		Time: now, Expires: now.Add(time.Duration(hours) * time.Hour), Nonce: nonce(), Steps: w.rest(e, forecasts), Resolved: w.resolved(),
	}
	if n := len(proto.CanonicalBody(s)); n > maxSimulation {
		return proto.Simulation{}, w.unsigned(fmt.Sprintf("it is %d bytes long, and at most %d can be shown and approved: nobody can decide so many conflicts; split the plan", n, maxSimulation))
	}
	return s, nil
}
