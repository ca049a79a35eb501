// Package chaos runs plans on embedded hosts while faults strike, and holds what is left to the
// application's own data and to the host's disk. Each run comes from a seed: its plan, how the
// application behaves, which faults strike and when (after how many starts of the console). What
// the scheduler of the machine does between two of these is not in the seed.
package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Options is what a campaign is made of.
type Options struct {
	Rpctl    string // absolute path of the program
	Dir      string // an empty folder
	First    uint64 // seed of the first run
	Runs     int
	Parallel int       // labs at the same time
	Log      io.Writer // told of each run
	// Only faults whose name has this text strike; seeds are other cases then.
	Only string
	// Slow stretches every limit of time, on a machine that has other work; 0 is 1.
	Slow int
	// Verbose tells of each command that was typed, too.
	Verbose bool
	// Real plays on a real host instead of embedded ones, a run at a time.
	Real *Real
}

// Result is what one run was and what was wrong after it.
type Result struct {
	Seed       uint64
	Faults     []string // that struck
	Anew       int      // plans that were begun, refused to go on, and simulated anew
	Violations []string
	Took       time.Duration
	spent      bool // its lab is not for another run
}

// kinds are the faults that a campaign draws from.
func (o Options) kinds() []fault {
	all := faults
	switch {
	case o.Real == nil:
	case o.Real.Lab != nil:
		all = o.Real.withDatabase(unbroken(realFaults))
	default:
		all = o.Real.withDatabase(realFaults)
	}
	return slices.DeleteFunc(slices.Clone(all), func(f fault) bool { return !strings.Contains(f.name, o.Only) })
}

// labLife is how many runs one lab serves: its host lists more jobs with every run.
const labLife = 20

// runLimit bounds one run; one that takes longer is a violation.
const runLimit = 20 * time.Minute

func (o Options) stretched(limit time.Duration) time.Duration {
	return limit * time.Duration(max(1, o.Slow))
}

// Campaign does the runs. The error is of the campaign itself; violations are in the results.
func Campaign(ctx context.Context, options Options) ([]Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	seeds := make(chan uint64)
	go func() {
		defer close(seeds)
		for i := range uint64(options.Runs) {
			select {
			case seeds <- options.First + i:
			case <-ctx.Done():
				return
			}
		}
	}()
	var (
		mu       sync.Mutex
		results  []Result
		failures error
		wait     sync.WaitGroup
	)
	done := func(r Result) {
		mu.Lock()
		defer mu.Unlock()
		results = append(results, r)
		tell(options.Log, r)
	}
	for worker := range options.Parallel {
		wait.Go(func() {
			if err := work(ctx, options, worker, seeds, done); err != nil && ctx.Err() == nil {
				mu.Lock()
				failures = errors.Join(failures, err)
				mu.Unlock()
				cancel()
			}
		})
	}
	wait.Wait()
	return results, errors.Join(failures, ctx.Err())
}

// work does runs in one lab after the other.
func work(ctx context.Context, options Options, worker int, seeds <-chan uint64, done func(Result)) error {
	for i := 0; ; i++ {
		dir := filepath.Join(options.Dir, fmt.Sprintf("lab-%d-%d", worker, i))
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		more, err := inLab(ctx, options, dir, seeds, done)
		if err != nil || !more {
			return err
		}
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
}

func (o Options) open(ctx context.Context, dir string) (*stage, error) {
	if o.Real != nil {
		return openReal(ctx, o)
	}
	return open(ctx, o, dir)
}

// inLab does as many runs as one lab serves, and says whether there are more.
func inLab(ctx context.Context, options Options, dir string, seeds <-chan uint64, done func(Result)) (more bool, err error) {
	s, err := options.open(ctx, dir)
	if err != nil {
		return false, err
	}
	defer s.Close()
	for range labLife {
		seed, ok := <-seeds
		if !ok {
			return false, nil
		}
		result, err := s.run(ctx, seed)
		if err != nil {
			return false, fmt.Errorf("seed %d: %w", seed, err)
		}
		if err := ctx.Err(); err != nil {
			return false, err // what was broken off proves nothing
		}
		done(result)
		if len(result.Violations) > 0 || result.spent {
			return true, nil // what a violation or another time left must not be seen in the next run
		}
	}
	return true, nil
}

// run is one seed from the first dry run to the last oracle.
func (s *stage) run(ctx context.Context, seed uint64) (Result, error) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, s.options.stretched(runLimit))
	defer cancel()
	c := newCase(rand.New(rand.NewPCG(seed, 4)), seed, s.options.kinds())
	r, err := s.newRun(ctx, c)
	if err != nil {
		return Result{}, err
	}
	defer r.settle()
	r.play(ctx)
	if ctx.Err() != nil {
		r.violation("the run did not come to its end within %s", runLimit)
	}
	return Result{Seed: seed, Faults: r.struck, Anew: r.anew, Violations: r.violations, Took: time.Since(began), spent: r.clockMoved}, nil
}
