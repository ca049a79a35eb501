// Package app is a stand-in for the application and its deploy command where
// there is no PHP: the demo and the tests run it as child processes, so that
// what rpctl starts, restarts and proves is real processes and real releases
// in Deployer's layout.
package app

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/re-connect/rpctl/lab/app/console"
)

// usage lists what Main does; it is for those who write demos, not for users of rpctl.
const usage = `usage:
  worker [MESSAGE-DURATION]     consume messages until SIGTERM, finishing the one in hand
  deploy FROM TO                make a release of the work tree FROM in the application folder TO
  rollback TO                   let current name the release before
  .../bin/console COMMAND ...   the application's console, with this program as PHP
`

// Main runs one of the stand-in's commands and returns its exit status.
func Main(args []string, out io.Writer) int {
	if console.Is(args) {
		return console.Main(args, out, os.Stderr) // no signal is caught: PHP catches none
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	err := run(ctx, args, out)
	if err != nil {
		fmt.Fprintln(out, err)
		return 1
	}
	return 0
}

func run(ctx context.Context, args []string, out io.Writer) error {
	switch {
	case len(args) >= 1 && args[0] == "worker":
		return work(ctx, args[1:], out)
	case len(args) == 3 && args[0] == "deploy":
		return Deploy(args[1], args[2], out)
	case len(args) == 2 && args[0] == "rollback":
		return Rollback(args[1], out)
	default:
		return fmt.Errorf("%s", usage)
	}
}
