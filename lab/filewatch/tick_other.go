//go:build !linux

package filewatch

import (
	"context"
	"os"
	"time"
)

// changes are guessed at, where there is no inotify.
type changes struct {
	ctx  context.Context
	tick *time.Ticker
}

func watch(ctx context.Context, folder string) (*changes, error) {
	if _, err := os.Stat(folder); err != nil {
		return nil, err
	}
	return &changes{ctx: ctx, tick: time.NewTicker(5 * time.Millisecond)}, nil
}

func (c *changes) next() error {
	select {
	case <-c.ctx.Done():
	case <-c.tick.C:
	}
	return nil
}

func (c *changes) close() { c.tick.Stop() }
