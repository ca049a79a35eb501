// Package filewatch lets tests and stand-ins wait for a file as for an event, instead of looking
// again and again.
package filewatch

import (
	"context"
	"fmt"
)

// Wait returns nil once done is true. It asks at once, and again whenever an entry of the folder was
// made, written, renamed or removed; the folder must be there. The end of ctx is an error.
func Wait(ctx context.Context, folder string, done func() bool) error {
	changes, err := watch(ctx, folder)
	if err != nil {
		return fmt.Errorf("cannot watch %s: %w", folder, err)
	}
	defer changes.close()
	for !done() {
		if err := changes.next(); ctx.Err() != nil {
			return context.Cause(ctx)
		} else if err != nil {
			return fmt.Errorf("cannot watch %s: %w", folder, err)
		}
	}
	return nil
}
