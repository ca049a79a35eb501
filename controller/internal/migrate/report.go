package migrate

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/fleet"
	"github.com/re-connect/rpctl/controller/internal/report"
	"github.com/re-connect/rpctl/proto"
)

// Report is what the last simulation on the environment found, from the receipt beside the
// plan, verified. No host is asked. What a reader must know of it is told as warnings.
func Report(world World, options Options) (report.Source, error) {
	r := newRun(world, options)
	again := r.command("migrate", r.Environment.Name)
	to := fleet.Target{Environment: r.Environment.Name, Host: r.Environment.ConsoleHost}
	simulation, err := r.storedSimulation(r.Environment.Name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return report.Source{}, &exit.Error{
			Code: exit.BadInput, Err: err, Next: again,
			Message: fmt.Sprintf("there is no simulation on %s beside the plan (%s)", r.Environment.Name, r.store.path(r.Environment.Name+simulationFile)),
		}
	case err != nil:
		if known := (*exit.Error)(nil); errors.As(err, &known) { // it names what helps
			return report.Source{}, known
		}
		return report.Source{}, &exit.Error{Code: exit.Refused, Err: err, Message: err.Error(), Next: again}
	}
	if !r.Now().Before(r.goodUntil(simulation)) {
		r.emit(to, event.Event{Kind: event.Warning, Text: "the simulation of " + simulation.Time.UTC().Format("2006-01-02 15:04 UTC") + " has expired", Next: again})
	}
	if step, accommodation, open := r.undecided(simulation); open {
		r.warn(to, "nobody has decided to move accommodation %d of step %s, which people who stay share", accommodation, step)
	}
	return report.Source{Plan: r.Plan, Simulation: simulation, Applied: r.appliedIn(to)}, nil
}

// goodUntil is when a simulation ends to count: its host may have written a hundred years into it.
func (r *run) goodUntil(s proto.Simulation) time.Time {
	hours := proto.DefaultSimulationHours
	if console := r.Environment.Console; console != nil && console.SimulationHours > 0 {
		hours = console.SimulationHours
	}
	if most := s.Time.Add(time.Duration(hours) * time.Hour); most.Before(s.Expires) {
		return most
	}
	return s.Expires
}

// appliedIn says whether the receipt beside the plan proves that all of it was applied and verified. One that
// proves nothing is told: it may be of the plan as it was before a change.
func (r *run) appliedIn(to fleet.Target) bool {
	_, err := r.storedApplied(to.Environment)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.warn(to, "%s", err.Error())
	}
	return err == nil
}
