// Package systemdengine starts and stops the units of jobs over D-Bus. polkit lets
// the agent's user start, stop and reset these templates by name, and nothing else.
package systemdengine

import (
	"context"
	"errors"
	"fmt"
	"sync"

	sdbus "github.com/coreos/go-systemd/v22/dbus"

	"github.com/re-connect/rpctl/agent/internal/jobs"
	"github.com/re-connect/rpctl/agent/internal/jobs/console"
	"github.com/re-connect/rpctl/agent/internal/jobs/runner"
	"github.com/re-connect/rpctl/agent/internal/units"
	"github.com/re-connect/rpctl/agent/internal/units/systemd"
	"github.com/re-connect/rpctl/proto"
)

// Engine is the systemd of this host. It connects when it is first needed.
type Engine struct {
	mu   sync.Mutex
	conn *sdbus.Conn
	end  context.CancelFunc
}

var _ jobs.Engine = (*Engine)(nil)

// RunnerUnit and ConsoleUnit are the units of one job and of one run.
func RunnerUnit(id proto.JobID) string { return "rp-agent-run@" + string(id) + ".service" }

// ConsoleUnit is the unit of one console command.
func ConsoleUnit(id console.ID) string {
	if id.Dry() {
		return "rp-agent-dryrun@" + string(id) + ".service"
	}
	return "rp-agent-console@" + string(id) + ".service"
}

// StartRunner starts the runner, forgetting that systemd gave up on it, if it did.
func (e *Engine) StartRunner(ctx context.Context, id proto.JobID) error {
	if !id.Valid() {
		return fmt.Errorf("%q is no job's id", string(id))
	}
	unit := RunnerUnit(id)
	conn, err := e.open(ctx)
	if err != nil {
		return err
	}
	_ = conn.ResetFailedUnitContext(ctx, unit) // one that is not loaded has nothing to forget
	if err := start(ctx, conn, unit); err != nil {
		return fmt.Errorf("cannot start %s: %w", unit, err)
	}
	return nil
}

// StartConsole starts a command. The unit's own assertion keeps a run from being started twice.
func (e *Engine) StartConsole(ctx context.Context, id console.ID) error {
	if !id.Valid() {
		return fmt.Errorf("%w: %q is no run's id", runner.ErrNotStarted, string(id))
	}
	conn, err := e.open(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", runner.ErrNotStarted, err)
	}
	unit := ConsoleUnit(id)
	if err := start(ctx, conn, unit); err != nil {
		if errors.Is(err, units.ErrRefused) || errors.Is(err, units.ErrNotFound) || errors.Is(err, units.ErrMasked) {
			err = fmt.Errorf("%w: %w", runner.ErrNotStarted, err)
		}
		return fmt.Errorf("cannot start %s: %w", unit, err)
	}
	return nil
}

// start queues a start job; systemd counts the unit as activating, or as having a job, from then on.
func start(ctx context.Context, conn *sdbus.Conn, unit string) error {
	_, err := conn.StartUnitContext(ctx, unit, "fail", nil)
	return systemd.Explain(err)
}

// RunnerAlive counts a runner that waits for its restart as alive.
func (e *Engine) RunnerAlive(ctx context.Context, id proto.JobID) (bool, error) {
	return e.alive(ctx, RunnerUnit(id))
}

// ConsoleAlive says whether the command's unit has not come to its end.
func (e *Engine) ConsoleAlive(ctx context.Context, id console.ID) (bool, error) {
	return e.alive(ctx, ConsoleUnit(id))
}

// alive is true until a unit is inactive or failed and nothing is queued for it. It is read by name and
// in one call, so that state and job fit each other.
func (e *Engine) alive(ctx context.Context, unit string) (bool, error) {
	conn, err := e.open(ctx)
	if err != nil {
		return false, err
	}
	properties, err := conn.GetUnitPropertiesContext(ctx, unit)
	if err != nil {
		e.lost(conn)
		return false, fmt.Errorf("cannot read %s: %w", unit, systemd.Explain(err))
	}
	if state, ok := properties["ActiveState"].(string); !ok || state != "inactive" && state != "failed" {
		return true, nil
	}
	if job, ok := properties["Job"].([]any); ok && len(job) > 0 {
		if id, ok := job[0].(uint32); ok && id != 0 {
			return true, nil
		}
	}
	return false, nil
}

// StopConsole queues a stop job.
func (e *Engine) StopConsole(ctx context.Context, id console.ID) error {
	conn, err := e.open(ctx)
	if err != nil {
		return err
	}
	unit := ConsoleUnit(id)
	_, err = conn.StopUnitContext(ctx, unit, "replace", nil)
	if err = systemd.Explain(err); err != nil && !errors.Is(err, units.ErrNotFound) {
		return fmt.Errorf("cannot stop %s: %w", unit, err)
	}
	return nil
}

// open is the connection, made anew where it was lost. The library takes its context for the
// connection's whole life.
func (e *Engine) open(ctx context.Context) (*sdbus.Conn, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.conn != nil && e.conn.Connected() {
		return e.conn, nil
	}
	life, end := context.WithCancel(context.Background())
	stop := context.AfterFunc(ctx, end)
	defer stop()
	conn, err := sdbus.NewSystemConnectionContext(life)
	if err != nil {
		end()
		return nil, fmt.Errorf("cannot reach systemd over D-Bus: %w", errors.Join(ctx.Err(), err))
	}
	e.conn, e.end = conn, end
	return conn, nil
}

// lost drops a connection that answers no more.
func (e *Engine) lost(conn *sdbus.Conn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.conn == conn && !conn.Connected() {
		e.end()
		e.conn = nil
	}
}

// Close ends the connection; what was started goes on.
func (e *Engine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.conn != nil {
		e.conn.Close()
		e.end()
		e.conn = nil
	}
	return nil
}
