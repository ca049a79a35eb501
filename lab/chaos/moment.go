package chaos

import (
	"context"
	"time"
)

// lookEvery is how often a moment is looked for.
const lookEvery = 3 * time.Millisecond

// momentLimit bounds the wait for a moment: another fault may have made it impossible.
const momentLimit = 45 * time.Second

// until waits for a moment, or until nothing goes on any more that could bring it.
func (r *run) until(ctx context.Context, p *process, starts int, delay time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, momentLimit)
	defer cancel()
	for ctx.Err() == nil && r.stage.starts() < starts {
		if p.gone() && len(r.stage.unended()) == 0 {
			return
		}
		pause(ctx, lookEvery)
	}
	pause(ctx, delay)
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// idle waits until the host says that nothing runs: jobs go on without their operator.
func (r *run) idle(ctx context.Context) {
	for ctx.Err() == nil {
		if _, running, ok := r.status(ctx, 0); ok && running == "" {
			return
		}
		for range 40 { // the disk knows as much, and is asked for less
			if pause(ctx, 50*time.Millisecond); len(r.stage.unended()) == 0 {
				break
			}
		}
	}
}
