package chaos

import (
	"context"
	"time"

	"github.com/re-connect/rpctl/lab/wire"
)

// The faults of the network, by a proxy in front of the host's sshd.
var networkFaults = []fault{
	{name: "connections reset (RST)", strike: broken(wire.Reset)},
	{name: "half-open line (bytes vanish)", strike: broken(wire.Mute), grace: keepalives},
	{name: "latency 300 ms", strike: weathered(wire.Weather{Latency: 150 * time.Millisecond}), grace: 30 * time.Second},
	{name: "slices of 1 byte", strike: weathered(wire.Weather{Slice: 1})},
	{name: "bandwidth 1 KB/s", strike: weathered(wire.Weather{Rate: 1024}), grace: narrowFor},
	{name: "wire cut after N bytes", strike: wireCut, grace: keepalives},
}

const (
	// keepalives is how long rpctl takes to notice a line that is dead: 15 s until it asks, 15 s until it
	// gives up (docs of package connect), and as long again where a handshake is stuck.
	keepalives = time.Minute
	// narrowFor is the longest time for which a line is narrow.
	narrowFor = 15 * time.Second
)

// broken ends the connections that there are; new ones are well.
func broken(how wire.Ending) func(context.Context, *run, *process, hit) bool {
	return func(_ context.Context, r *run, p *process, _ hit) bool {
		return r.stage.Wire().End(how) > 0 && !p.gone()
	}
}

// weathered holds until the operator's command has ended, bad weather that costs much for a bounded time.
func weathered(w wire.Weather) func(context.Context, *run, *process, hit) bool {
	return func(_ context.Context, r *run, p *process, h hit) bool {
		proxy := r.stage.Wire()
		proxy.Turn(w)
		r.undo = append(r.undo, func() error { proxy.Turn(wire.Weather{}); return nil })
		if w.Rate > 0 {
			lift := time.AfterFunc(narrowFor/3+time.Duration(h.number)*time.Millisecond%(narrowFor*2/3), func() { proxy.Turn(wire.Weather{}) })
			r.undo = append(r.undo, func() error { lift.Stop(); return nil })
		}
		return !p.gone()
	}
}

// Bytes of a connection with a handshake and the first events, each way (TestSweepOfTheWire prints them).
const (
	firstUp   = 6000
	firstDown = 9000
)

// wireCut breaks the connections that there are, so that the next one is cut within its handshake
// or the first events, now this way and now that.
func wireCut(_ context.Context, r *run, p *process, h hit) bool {
	cut := wire.Cut{After: int64(h.number % firstDown), How: []wire.Ending{wire.Close, wire.Reset, wire.Close, wire.Mute}[h.number%4]}
	if cut.Up = h.number%3 == 0; cut.Up {
		cut.After = int64(h.number % firstUp)
	}
	proxy := r.stage.Wire()
	proxy.CutNext(cut)
	r.undo = append(r.undo, func() error { proxy.CutEach(nil); return nil })
	r.say("the next connection is cut after %d bytes (%+v)", cut.After, cut)
	proxy.End(wire.Reset)
	return !p.gone()
}
