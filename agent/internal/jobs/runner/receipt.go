package runner

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/re-connect/rpctl/agent/internal/jobs/store"
	"github.com/re-connect/rpctl/agent/internal/plans"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

// appliedLife is for how long a host's word that a plan was applied opens the next environment.
const appliedLife = 30 * 24 * time.Hour

// maxSimulation bounds a simulation, in bytes: it crosses the wire within a job's event.
const maxSimulation = 256 << 10

// succeed signs what the job has proved.
func (w *work) succeed() error {
	sign := w.signSimulation
	if w.spec.Args.Kind == proto.KindApply {
		sign = w.signApplied
	}
	refusal, err := sign()
	if err != nil {
		return err
	}
	ending := store.Ending{State: proto.JobSucceeded}
	if refusal != nil {
		ending = store.Ending{State: proto.JobFailed, Error: refusal}
	}
	w.record.Ending = &ending
	return w.saveJob()
}

// signSimulation signs the dry runs of a whole plan. Of a plan that has begun they are shown, but
// not signed: it is finished against the figures that were approved.
//
// No job may change the data meanwhile, nor the marks of this plan's steps: they are written here too.
func (w *work) signSimulation() (*proto.Error, error) {
	release, err := w.Jobs.OwnApplication()
	switch {
	case err != nil:
		return nil, err
	case release == nil:
		return &proto.Error{Code: proto.CodeGate, Message: "cannot sign the simulation: gate 7 (alone) is closed: a job changes the data of this application",
			Next: "rpctl jobs --env " + w.Config.Environment}, nil
	}
	defer release()
	steps, err := w.Plans.Steps(w.digest)
	if err != nil {
		return nil, err
	}
	if steps.Begun() {
		states := steps.State()
		for i := range w.record.Job.Steps {
			step := &w.record.Job.Steps[i]
			step.Remaining = &step.Result.Moved
			step.Detail = fmt.Sprintf("this plan has begun and the step is %s: its first simulation stays what counts", stateOr(states[step.Step]))
		}
		return nil, nil
	}
	simulation, refusal := w.simulation()
	if refusal != nil {
		return refusal, nil
	}
	if err := w.sign(proto.NamespaceSimulation, simulation); err != nil {
		return nil, err
	}
	return nil, w.Plans.SaveSteps(w.digest, plans.Steps{Job: w.record.Job.ID, Time: w.now(), Steps: w.record.Job.Steps})
}

func stateOr(state proto.StepState) proto.StepState {
	if state == "" {
		return proto.StepPending
	}
	return state
}

func (w *work) simulation() (proto.Simulation, *proto.Error) {
	again := "rpctl migrate --plan PLAN --env " + w.Config.Environment
	refuse := func(format string, args ...any) (proto.Simulation, *proto.Error) {
		return proto.Simulation{}, &proto.Error{Code: proto.CodeGate, Message: "cannot sign the simulation: " + fmt.Sprintf(format, args...), Next: again}
	}
	if why := w.switched(); why != "" {
		return refuse("%s", why)
	}
	var figures []plan.Figures
	for _, step := range w.record.Job.Steps {
		figures = append(figures, step.Result.Figures)
	}
	forecasts, err := plan.Forecasts(w.spec.Args.Plan, figures)
	if err != nil {
		return refuse("%v", err)
	}
	now := w.now()
	hours := w.Config.Console.SimulationHours
	if hours <= 0 {
		hours = proto.DefaultSimulationHours
	}
	s := proto.Simulation{
		Kind: "simulation", Environment: w.Config.Environment, Host: w.Name, Plan: w.digest, Revision: w.record.Revision,
		Time: now, Expires: now.Add(time.Duration(hours) * time.Hour), Nonce: nonce(),
	}
	for i, step := range w.record.Job.Steps {
		s.Steps = append(s.Steps, proto.SimulatedStep{Step: step.Step, Result: *step.Result, Forecast: forecasts[i]})
	}
	if n := len(proto.CanonicalBody(s)); n > maxSimulation {
		return refuse("it is %d bytes long, and at most %d can be shown and approved: nobody can decide so many conflicts; split the plan", n, maxSimulation)
	}
	return s, nil
}

// signApplied signs that every step was run and verified.
func (w *work) signApplied() (*proto.Error, error) {
	now := w.now()
	return nil, w.sign(proto.NamespaceApplied, proto.Applied{
		Kind: "applied", Environment: w.Config.Environment, Host: w.Name, Plan: w.digest, Revision: w.record.Revision,
		Job: w.record.Job.ID, Time: now, Expires: now.Add(appliedLife), Nonce: nonce(),
		BreakGlass: w.spec.Args.BreakGlass, Steps: w.record.Forecasts,
	})
}

// sign keeps a receipt with the plan and with the job.
func (w *work) sign(namespace string, body any) error {
	key, err := w.Key()
	if err != nil {
		return err
	}
	signed, err := key.Sign(namespace, proto.CanonicalBody(body))
	if err != nil {
		return err
	}
	if err := w.Plans.SaveSigned(w.digest, signed); err != nil {
		return err
	}
	w.record.Job.Receipt = &signed
	return nil
}

func nonce() string {
	var random [16]byte
	_, _ = rand.Read(random[:]) // it never fails (crypto/rand)
	return hex.EncodeToString(random[:])
}
