// Command rpctl deploys Reconnect Pro from a developer's machine; see package cli.
package main

import (
	"os"

	"github.com/re-connect/rpctl/controller/internal/cli"
)

func main() {
	os.Exit(cli.Run(cli.ThisProcess()))
}
