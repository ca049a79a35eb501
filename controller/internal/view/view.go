// Package view shows events: as a live view on a terminal, as plain lines
// elsewhere, or as one JSON object a line. All three show the same events.
package view

import (
	"io"
	"time"

	"github.com/re-connect/rpctl/controller/internal/event"
)

// View shows events. Its methods may be called by several goroutines.
type View interface {
	// Emit shows an event. Text that a host sent is neutralised here.
	Emit(event.Event)
	// Pause keeps the live region away while ask talks to the operator.
	Pause(ask func())
	// Close takes the live region away and leaves the terminal as it was. It may be
	// called twice, and at any moment.
	Close()
}

// Options say how to show.
type Options struct {
	Out   io.Writer
	JSON  bool
	Live  bool       // Out is a terminal that understands cursor movement
	Color bool       // false with NO_COLOR, --no-color, or where Out is no terminal
	Width func() int // columns of that terminal; nil means 80
	// Now is the clock of what is shown as running; nil means time.Now.
	Now func() time.Time
}

// New is the view that the options ask for.
func New(o Options) View {
	if o.Width == nil {
		o.Width = func() int { return defaultWidth }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	switch {
	case o.JSON:
		return &ndjson{out: o.Out}
	case o.Live:
		return newLive(o)
	default:
		o.Width = func() int { return 0 } // who reads a pipe or a file searches it
		return &plain{out: o.Out, text: newText(o)}
	}
}

// defaultWidth is the columns of a terminal that does not tell.
const defaultWidth = 80
