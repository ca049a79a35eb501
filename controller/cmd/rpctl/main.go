// Command rpctl deploys Reconnect Pro from a developer's machine; see package cli.
package main

import (
	"os"
	"runtime/debug"

	"github.com/re-connect/rpctl/controller/internal/cli"
)

// collectAt is how much garbage there may be beside what is in use, in percent, and wanted the memory, in
// bytes, above which it is collected eagerly: what one host sends without end is then held in 32 MB
// (controller/e2e/flood). package fleet wants more for many hosts.
const (
	collectAt = 20
	wanted    = 16 << 20
)

func main() {
	if os.Getenv("GOGC") == "" { // whoever sets it knows better
		debug.SetGCPercent(collectAt)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(wanted)
	}
	os.Exit(cli.Run(cli.ThisProcess()))
}
