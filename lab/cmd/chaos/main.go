// Command chaos runs plans on hosts that it makes itself while faults strike, and prints a table
// (docs/faults.md). Its exit code is 1 when anything was wrong after a run.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/re-connect/rpctl/lab"
	"github.com/re-connect/rpctl/lab/chaos"
	"github.com/re-connect/rpctl/lab/cmd/internal/beside"
	"github.com/re-connect/rpctl/lab/inprocess"
)

func main() {
	inprocess.RunApp()
	options := chaos.Options{Log: os.Stderr}
	flag.IntVar(&options.Runs, "runs", 40, "how many runs")
	flag.Uint64Var(&options.First, "seed", 1, "seed of the first run; the others follow")
	flag.IntVar(&options.Parallel, "parallel", 4, "runs at the same time, each in its own lab")
	flag.StringVar(&options.Only, "only", "", "let only faults strike whose name has this text; seeds are other cases then")
	flag.IntVar(&options.Slow, "slow", 1, "stretch all limits of time by this factor, on a machine that has other work")
	flag.BoolVar(&options.Verbose, "v", false, "tell of each command that is typed")
	flag.StringVar(&options.Rpctl, "rpctl", beside.Program("rpctl"), "the rpctl to type")
	real := flag.Bool("real", false, "play on a real host (root on Debian), a run at a time")
	suite := flag.String("suite", string(lab.Bookworm), "the Debian release of the real host")
	database := flag.String("database", string(lab.SQLite), "what the real host's application keeps its data in: mariadb, or SQLite when empty")
	flag.Parse()
	if *real {
		options.Parallel = 1
		options.Real = &chaos.Real{
			Suite: lab.Suite(*suite), Database: lab.Database(*database),
			Agents: []string{beside.Program("rp-agent"), beside.Program("rp-agent-next")},
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	clean, err := campaign(ctx, options)
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
	}
	if err != nil || !clean {
		os.Exit(1)
	}
}

func campaign(ctx context.Context, options chaos.Options) (clean bool, err error) {
	if options.Rpctl, err = filepath.Abs(options.Rpctl); err != nil {
		return false, err
	}
	if _, err := os.Stat(options.Rpctl); err != nil {
		return false, fmt.Errorf("cannot find rpctl: %w (make chaos builds it)", err)
	}
	if options.Dir, err = os.MkdirTemp("", "rpctl-chaos-"); err != nil {
		return false, err
	}
	defer os.RemoveAll(options.Dir)
	began := time.Now()
	results, err := chaos.Campaign(ctx, options)
	clean = options.Table(os.Stdout, results, time.Since(began))
	return clean, err
}
