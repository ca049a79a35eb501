package app

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"
)

// work consumes messages as `messenger:consume` does: on SIGTERM it finishes
// the message in hand and ends with success. Its working directory is the
// release, entered through current. It ends too when who started it is gone: there is no
// systemd here that would end it.
func work(ctx context.Context, args []string, out io.Writer) error {
	message := 100 * time.Millisecond
	if len(args) == 1 {
		var err error
		if message, err = time.ParseDuration(args[0]); err != nil {
			return fmt.Errorf("cannot read how long a message takes: %w", err)
		}
	}
	revision, err := os.ReadFile("REVISION")
	if err != nil {
		return fmt.Errorf("cannot start: this is no release: %w", err)
	}
	fmt.Fprintf(out, "[OK] Consuming messages with revision %.12s\n", revision)
	parent := os.Getppid()
	tick := time.NewTicker(message)
	defer tick.Stop()
	for handled := 0; ; handled++ {
		<-tick.C
		if ctx.Err() != nil || os.Getppid() != parent {
			fmt.Fprintf(out, "stopping after %d messages\n", handled)
			return nil
		}
	}
}
