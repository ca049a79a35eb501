// rp-agent answers rpctl on a host; package cli has its verbs.
package main

import (
	"os"
	"os/signal"
	"syscall"

	"github.com/re-connect/rpctl/agent/internal/cli"
)

func main() {
	// A reader that has gone is an error of a write, not a reason to die in the middle of a restart.
	signal.Ignore(syscall.SIGPIPE)
	os.Exit(cli.Run(cli.ThisProcess()))
}
