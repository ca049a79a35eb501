package deploy

import (
	"context"
	"fmt"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/proto"
)

// restart restarts the units of one host after the other, so that some workers are
// always at work where there is more than one host. A host that fails does not keep
// the others on old code.
func (r *run) restart(ctx context.Context) error {
	done := 0
	for _, h := range r.remaining() {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := r.restartHost(ctx, h); err != nil {
			r.out(h, err)
			continue
		}
		done++
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	err := r.notReady("its workers may run old code")
	if err != nil && done > 0 {
		return goOn{err}
	}
	return err
}

func (r *run) restartHost(ctx context.Context, h *host) error {
	r.busy(fmt.Sprintf("%s restarts %s (systemd finishes what it was told)", h.name(), counted(h.units())))
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
