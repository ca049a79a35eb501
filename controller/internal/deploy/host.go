package deploy

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/fleet"
	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/proto"
)

// answerTime bounds the questions that a host answers from what it has at hand.
const answerTime = 30 * time.Second

// host is one host of the operation. Only the goroutine that works on it writes to it.
type host struct {
	target   fleet.Target
	agent    fleet.Agent
	leased   bool
	before   *proto.Release
	after    *proto.Release
	patterns []proto.PatternUnits
	asked    bool // a restart was asked for: some units may have been touched
	// restarted is nil until the restart was answered.
	restarted []proto.Restarted
	verdicts  []proto.UnitVerdict
	err       error // why this host is out; ErrLost among others
	told      bool  // err is part of a step's failure already

	mu     sync.Mutex
	phases map[string]proto.Phase // last phase that was seen of each unit
}

func (h *host) name() string { return h.target.Host }

// in says that the host still takes part.
func (h *host) in() bool { return h.agent != nil && h.err == nil }

// moved says that current is known, and is not what it was.
func (h *host) moved() bool {
	return h.after != nil && (h.before == nil || h.before.Path != h.after.Path)
}

// units counts the expected instances.
func (h *host) units() int {
	count := 0
	for _, p := range h.patterns {
		count += len(p.Units)
	}
	return count
}

// call asks the host for one thing that takes no long time.
func (h *host) call(ctx context.Context, op proto.Op, args, result any) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	return h.agent.Call(ctx, op, args, result, nil)
}

// out takes a host out of what follows, and tells of it.
func (r *run) out(h *host, err error) {
	told := onHost(h.name(), err)
	state := event.Bad
	if errors.Is(err, fleet.ErrLost) {
		state = event.Lost
		if !r.commanded && !h.asked {
			told.Code = exit.Unreachable // nothing was asked of it that could be half done
		}
	}
	h.err = told
	r.emit(event.Event{Kind: event.Host, Host: h.name(), State: state, Text: exit.From(err).Message})
}

// each runs do on the hosts that still take part, all at once; one that fails is out.
func (r *run) each(ctx context.Context, do func(context.Context, *host) error) {
	r.among(ctx, r.hosts, do)
}

// inWave is each for the hosts whose turn it is.
func (r *run) inWave(ctx context.Context, do func(context.Context, *host) error) {
	r.among(ctx, r.wave.hosts, do)
}

func (r *run) among(ctx context.Context, hosts []*host, do func(context.Context, *host) error) {
	byName := map[string]*host{}
	var targets []fleet.Target
	for _, h := range hosts {
		if h.in() {
			byName[h.name()] = h
			targets = append(targets, h.target)
		}
	}
	one := func(ctx context.Context, target fleet.Target) (struct{}, error) {
		return struct{}{}, do(ctx, byName[target.Host])
	}
	fleet.Each(ctx, fleet.DefaultLimit, targets, one, func(result fleet.Result[struct{}]) {
		if result.Err != nil {
			r.out(byName[result.Target.Host], result.Err)
		}
	})
}

// remaining is the hosts that still take part.
func (r *run) remaining() []*host {
	var in []*host
	for _, h := range r.hosts {
		if h.in() {
			in = append(in, h)
		}
	}
	return in
}

// release ends all conversations, and with them the leases.
func (r *run) release() {
	var wait sync.WaitGroup
	for _, h := range r.hosts {
		if h.agent != nil {
			wait.Go(func() { _ = h.agent.Close() }) // a lease dies with its connection, however that ends
		}
	}
	wait.Wait()
}

// onHost is err as it is told of one host, on one line: what the host itself said may be in it.
func onHost(name string, err error) *exit.Error {
	told := *exit.From(err)
	told.Host, told.Err = name, err
	if told.Message == "" {
		told.Message = err.Error()
	}
	told.Message = printable.Line(told.Message)
	return &told
}

// notReady is the failures of hosts that no step has told yet as one; nil when there
// is none. consequence says what that means for the operation.
func (r *run) notReady(consequence string) error {
	var bad []*exit.Error
	for _, h := range r.hosts {
		if h.err != nil && !h.told {
			h.told = true
			bad = append(bad, exit.From(h.err))
		}
	}
	switch len(bad) {
	case 0:
		return nil
	case 1:
		one := *bad[0]
		one.Message += "; " + consequence
		return &one
	}
	var all []string
	for _, b := range bad {
		all = append(all, b.Error())
	}
	return &exit.Error{
		Code: bad[0].Code,
		Message: fmt.Sprintf("%d of %d hosts are not ready (%s); %s",
			len(bad), len(r.hosts), few(all), consequence),
		Next: bad[0].Next, HostSuggests: bad[0].HostSuggests,
		Err: bad[0],
	}
}
