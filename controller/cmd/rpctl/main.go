// Command rpctl deploys Reconnect Pro from a developer's machine; see package cli.
package main

import (
	"os"
	"runtime/debug"

	"github.com/re-connect/rpctl/controller/internal/cli"
)

// wanted is the memory, in bytes, above which garbage is collected eagerly. A thousand open
// connections need 80 MB; left alone the collector would let them become 140.
const wanted = 100 << 20

func main() {
	if os.Getenv("GOMEMLIMIT") == "" { // whoever sets it knows better
		debug.SetMemoryLimit(wanted)
	}
	os.Exit(cli.Run(cli.ThisProcess()))
}
