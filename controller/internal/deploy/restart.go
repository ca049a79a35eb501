package deploy

import (
	"context"
	"fmt"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/proto"
)

// restart restarts the units of a wave's hosts. What becomes of a host that fails, and whether
// others follow, is for the failure budget to say.
func (r *run) restart(ctx context.Context) error {
	r.busy(r.restarting())
	r.inWave(ctx, r.restartHost)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := r.notReady("its workers may run old code"); err != nil {
		return goOn{err}
	}
	return nil
}

// restarting says what goes on, for who presses Ctrl-C in the middle of it.
func (r *run) restarting() string {
	who, units := countedHosts(len(r.wave.hosts))+" restart", 0
	if len(r.wave.hosts) == 1 {
		who = r.wave.hosts[0].name() + " restarts"
	}
	for _, h := range r.wave.hosts {
		units += h.units()
	}
	return fmt.Sprintf("%s %s (systemd finishes what it was told)", who, counted(units))
}

func (r *run) restartHost(ctx context.Context, h *host) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	r.emit(event.Event{
		Kind: event.Host, Host: h.name(), State: event.Busy, Plan: h.patterns,
		Text: "restarting " + counted(h.units()),
	})
	h.asked = true
	var result proto.RestartResult
	args := proto.RestartArgs{Only: r.Only, Batch: r.Batch}
	if err := h.agent.Call(ctx, proto.OpRestart, args, &result, r.progress(h)); err != nil {
		return err
	}
	if len(result.Units) == 0 {
		return &exit.Error{Code: exit.Failed, Message: "the host restarted no unit"}
	}
	h.restarted = result.Units
	r.emit(event.Event{Kind: event.Host, Host: h.name(), State: event.Done, Text: counted(len(result.Units)) + " restarted"})
	return nil
}

// progress passes on what a host tells of its units.
func (r *run) progress(h *host) func(proto.Event) {
	return func(e proto.Event) {
		if e.Event != proto.EventUnit || e.Unit == nil {
			return
		}
		h.mu.Lock()
		if h.phases == nil {
			h.phases = map[string]proto.Phase{}
		}
		h.phases[e.Unit.Unit] = e.Unit.Phase
		h.mu.Unlock()
		r.emit(event.Event{Kind: event.Unit, Host: h.name(), Unit: e.Unit})
	}
}

// begun counts the units whose new process was seen to start.
func (h *host) begun() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	count := 0
	for _, phase := range h.phases {
		switch phase {
		case proto.PhaseStarted, proto.PhaseSettling, proto.PhaseSettled:
			count++
		}
	}
	return count
}

func counted(units int) string {
	if units == 1 {
		return "1 unit"
	}
	return fmt.Sprintf("%d units", units)
}
