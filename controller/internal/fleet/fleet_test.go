package fleet

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/re-connect/rpctl/proto"
)

type quiet struct{ closed *atomic.Int32 }

func (quiet) Hello(context.Context) (proto.Hello, error) { return proto.Hello{}, nil }
func (quiet) Call(_ context.Context, _ proto.Op, _, result any, _ func(proto.Event)) error {
	result.(*proto.Release).Name = "42"
	return nil
}
func (q quiet) Close() error { q.closed.Add(1); return nil }

func targets(n int) []Target {
	all := make([]Target, n)
	for i := range all {
		all[i] = Target{"preprod", fmt.Sprint("h", i)}
	}
	return all
}

// TestDeadHostsCostOneTimeout has more dead hosts than places, and one that lives behind them.
func TestDeadHostsCostOneTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var closed, busy, most atomic.Int32
		f := &Fleet{Limit: 8, Timeout: 10 * time.Second}
		f.Dial = func(ctx context.Context, target Target) (Agent, error) {
			most.Store(max(most.Load(), busy.Add(1)))
			defer busy.Add(-1)
			if target.Host != "h39" {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return quiet{&closed}, nil
		}
		began := time.Now()
		var first Result[proto.Release]
		results := Ask(t.Context(), f, targets(40), proto.OpRelease, nil, func(r Result[proto.Release]) {
			if first.Target.Host == "" {
				first = r
			}
		})
		if took := time.Since(began); took > 13*time.Second {
			t.Errorf("39 dead hosts took %s", took)
		}
		if first.Target.Host != "h39" || first.Value.Name != "42" || closed.Load() != 1 {
			t.Errorf("first result %+v, %d closed", first, closed.Load())
		}
		for i, r := range results {
			if r.Target != targets(40)[i] || (i != 39) != errors.Is(r.Err, context.DeadlineExceeded) {
				t.Errorf("result %d is %+v", i, r)
			}
		}
	})
}

// TestLimit holds the number of quick dials down.
func TestLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var busy, most atomic.Int32
		Each(t.Context(), 4, targets(50), func(context.Context, Target) (int, error) {
			most.Store(max(most.Load(), busy.Add(1)))
			time.Sleep(100 * time.Millisecond) // fake time: work that takes a while
			busy.Add(-1)
			return 0, nil
		}, nil)
		if got := most.Load(); got != 4 {
			t.Errorf("%d at once, want 4", got)
		}
	})
}
