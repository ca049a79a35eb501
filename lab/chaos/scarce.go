package chaos

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	agent "github.com/re-connect/rpctl/agent/embedded"
)

// hostFaults are those of the host's disk and clock.
var hostFaults = []fault{
	{name: "disk full (ENOSPC)", strike: scarce(func(v volume, h hit) error { return v.full(h.number % 12) }), grace: scarceFor},
	{name: "disk out of inodes", strike: scarce(func(v volume, h hit) error { return v.outOfInodes(h.number % 12) }), grace: scarceFor},
	{name: "disk read-only (EROFS)", strike: scarce(func(v volume, _ hit) error { return v.readOnly() }), grace: scarceFor},
	{name: "clock a day ahead", strike: clockSet(day)},
	{name: "clock a day behind", strike: clockSet(-day)},
}

// scarceFor is the longest time for which a disk takes nothing.
const scarceFor = 4 * time.Second

// scarce takes something of the host's disk away, asks as another operator would, and gives it back.
// What is taken away is drawn too: how much is left decides which write fails first.
func scarce(take func(volume, hit) error) func(context.Context, *run, *process, hit) bool {
	return func(ctx context.Context, r *run, p *process, h hit) bool {
		v := r.stage.volume
		if v.path == "" {
			return false
		}
		err := take(v, h)
		for deadline := time.Now().Add(scarceFor); err != nil && time.Now().Before(deadline) && ctx.Err() == nil; {
			pause(ctx, lookEvery) // a file that is written keeps the disk as it is
			err = take(v, h)
		}
		if err != nil {
			r.say("%v", err)
			return false
		}
		hits := !p.gone() || len(r.stage.unended()) > 0
		pause(ctx, time.Duration(h.number)*time.Millisecond%scarceFor)
		if h.number%2 == 0 {
			r.answers(ctx, 0, exitHost)
		}
		if err := v.restore(); err != nil {
			r.violation("%v", err)
		}
		return hits
	}
}

// answers asks for the state of the first plan: one of the codes must come of it, whatever is broken.
func (r *run) answers(ctx context.Context, codes ...int) {
	p := r.follow(ctx, "migrate", "status", "--plan", r.files[0], "--env", environment)
	if p != nil && !p.killed && !slices.Contains(codes, p.code) {
		r.violation("rpctl migrate status ended with %d while the host was broken: %s", p.code, last(p.stderr.String()))
	}
}

const day = 24 * time.Hour

// clockSet moves the host's clock until the operator's command has ended; then root accepts the right one.
func clockSet(by time.Duration) func(context.Context, *run, *process, hit) bool {
	return func(_ context.Context, r *run, p *process, _ hit) bool {
		r.stage.clock.Store(int64(by))
		r.clockMoved = true
		r.undo = append(r.undo, func() error { r.stage.clock.Store(0); return r.acceptClock() })
		return !p.gone() || len(r.stage.unended()) > 0
	}
}

// acceptClock is what root types once the clock is right again.
func (r *run) acceptClock() error {
	var said bytes.Buffer
	root := agent.Caller{User: "root", UID: 0}
	if status := r.stage.host().Running().Exec(context.Background(), "rp-agent clock-reset", root, strings.NewReader(""), &said, &said); status != 0 {
		return fmt.Errorf("rp-agent clock-reset ended with %d: %s", status, said.String())
	}
	return nil
}
