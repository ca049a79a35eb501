package runner

import (
	"errors"
	"fmt"
	"time"

	"github.com/re-connect/rpctl/agent/internal/jobs/console"
	"github.com/re-connect/rpctl/agent/internal/jobs/store"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

const (
	// soonest and latest are how long it takes to the next look for the end of a command. A look is at one
	// file, and yet one every 10 ms costs 1 % of a processor for as long as a migration runs.
	soonest, latest = 10 * time.Millisecond, 50 * time.Millisecond
	// aliveEvery is how often the service manager is asked whether the command is still there.
	aliveEvery = time.Second
	// tries is how often a dry run that left no trace is started, in all.
	tries = 3
)

// outcome is how a run went.
type outcome struct {
	run  store.Run
	end  console.End
	gone bool // it left no record of its end
}

// dryRun runs a step's command with --dry-run. It changes nothing, so one that was lost is run again.
func (w *work) dryRun(step plan.Located, purpose store.Purpose) (outcome, error) {
	for range tries {
		run := w.record.Current()
		if run == nil {
			if err := w.start(step, purpose); err != nil {
				return outcome{}, err
			}
			run = w.record.Current()
		}
		out, err := w.finish(run)
		if err != nil || !out.gone {
			return out, err
		}
	}
	return outcome{gone: true}, nil
}

// realRun runs a step's command, once in a job: a runner that comes later finds the run of the first.
func (w *work) realRun(step plan.Located) (outcome, error) {
	if w.record.Last(step.ID, store.Real) == nil {
		if err := w.start(step, store.Real); err != nil {
			return outcome{}, err
		}
	}
	return w.finish(w.record.Last(step.ID, store.Real))
}

// roomForDryRun refuses a simulation that would fill the disk. What an apply checks and verifies is never refused.
func (w *work) roomForDryRun() error {
	all, err := w.Jobs.List()
	if err != nil {
		return err
	}
	running := 0
	for _, record := range all {
		if record.Job.Kind == proto.KindSimulate && !record.Job.State.Ended() {
			running++
		}
	}
	return w.Folders.RoomForDryRun(w.Disk, running, w.record.Job.Stdout+w.record.Job.Stderr)
}

// start writes what is about to be started, and starts it.
func (w *work) start(step plan.Located, purpose store.Purpose) error {
	id := console.NewDryID(w.record.Job.ID, len(w.record.Runs))
	if purpose == store.Real {
		id = console.NewRealID(w.record.Job.ID, step.ID)
	}
	if used, err := w.Folders.Used(id); err != nil {
		return fmt.Errorf("cannot look for an earlier run: %w", err)
	} else if used { // of a job that had this id, and was pruned before its output
		return fmt.Errorf("%w: run %s has output of an earlier job of the same id", ErrNotStarted, id)
	}
	spec := console.Spec{Step: step.Step, DryRun: purpose != store.Real}
	if purpose == store.Real {
		carried, err := w.carried(step.ID)
		if err != nil {
			return err
		}
		spec.Carried = &carried
	}
	if err := w.Folders.WriteSpec(id, spec); err != nil {
		return err
	}
	w.record.Runs = append(w.record.Runs, store.Run{Console: id, Step: step.ID, Purpose: purpose, Began: w.now()})
	if err := w.save(); err != nil {
		return err
	}
	err := w.Consoles.StartConsole(w.ctx, id)
	if errors.Is(err, ErrNotStarted) {
		run := w.record.Current()
		run.Ended, run.Gone = w.now(), true // the next save tells
	}
	return err
}

// finish waits for the end of a run and writes it down, once its output is on the disk.
func (w *work) finish(run *store.Run) (outcome, error) {
	if !run.Open() && run.Gone {
		return outcome{run: *run, gone: true}, nil
	}
	if err := w.stopAsked(run); err != nil {
		return outcome{}, err
	}
	end, recorded, err := w.wait(*run)
	if err != nil {
		return outcome{}, err
	}
	if run.Open() {
		if run.Stdout, run.Stderr, err = w.Folders.Settle(run.Console); err != nil {
			return outcome{}, err
		}
		run.Ended, run.Gone = w.now(), !recorded
		w.record.Job.Stdout += run.Stdout
		w.record.Job.Stderr += run.Stderr
		if err := w.saveJob(); err != nil {
			return outcome{}, err
		}
	}
	return outcome{run: *run, end: end, gone: !recorded}, nil
}

// stopAsked ends a run that somebody asked to stop at once while it was being started: they saw no unit
// to stop. A dry run that tells what a real run has left is not what they meant.
func (w *work) stopAsked(run *store.Run) error {
	if !run.Open() || run.Purpose == store.Verify || run.Purpose == store.Look {
		return nil
	}
	asked, err := w.Jobs.CancelAsked(w.record.Job.ID)
	if err != nil || asked == nil || !asked.Now {
		return err
	}
	return w.Consoles.StopConsole(w.ctx, run.Console)
}

// wait returns how a run ended, or false when it left neither a record nor a unit. It stops a dry run that prints
// too much.
func (w *work) wait(run store.Run) (console.End, bool, error) {
	id, began, asked := run.Console, time.Now(), time.Time{}
	next := time.NewTimer(soonest)
	defer next.Stop()
	for {
		end, recorded, err := w.Folders.ReadEnd(id)
		if err != nil || recorded {
			return end, recorded, err
		}
		if time.Since(asked) >= aliveEvery {
			asked = time.Now()
			alive, err := w.Consoles.ConsoleAlive(w.ctx, id)
			if err != nil {
				return end, false, err
			}
			if !alive { // the record, if there will ever be one, is written before the unit is gone
				return w.Folders.ReadEnd(id)
			}
			if run.Purpose != store.Real && w.Folders.Printed(id) > console.MaxPrinted {
				if err := w.Consoles.StopConsole(w.ctx, id); err != nil {
					return end, false, err
				}
			}
		}
		next.Reset(nextLook(time.Since(began)))
		select {
		case <-w.ctx.Done():
			return end, false, w.ctx.Err()
		case <-next.C:
		}
	}
}

// nextLook is how long to wait for the end of a command that was waited for so long already: a look that comes
// late by a twentieth of that is not felt.
func nextLook(waited time.Duration) time.Duration { return min(max(waited/20, soonest), latest) }
