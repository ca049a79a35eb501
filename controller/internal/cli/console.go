package cli

import (
	"io"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/migrate"
	"github.com/re-connect/rpctl/controller/internal/view"
	"github.com/re-connect/rpctl/proto"
)

// console is where a job's output goes: as events, as it is, or made fit for the terminal.
func (a *app) console() migrate.Console {
	switch {
	case a.flags.json:
		return jsonConsole{a}
	case a.raw:
		return &rawConsole{stdout: a.Stdout, stderr: a.Stderr, goesOn: a.goesOn, lost: map[string]bool{}}
	}
	return &terminalConsole{app: a, streams: map[string]*view.Terminal{
		proto.Stdout: {Color: a.colors()}, proto.Stderr: {Color: a.colors()},
	}}
}

// rawConsole changes no byte. Where the job is what was asked for, it is followed to its end although
// a stream can no longer be shown: how it ends counts, and end() tells that output was lost.
type rawConsole struct {
	stdout, stderr io.Writer
	goesOn         func(err error) bool // although this output is lost
	lost           map[string]bool      // by stream
}

func (c *rawConsole) Print(stream string, _ int64, raw []byte) error {
	if c.lost[stream] {
		return nil
	}
	out := c.stdout
	if stream == proto.Stderr {
		out = c.stderr
	}
	_, err := out.Write(raw)
	if err != nil && c.goesOn(err) {
		c.lost[stream], err = true, nil
	}
	return err
}

func (*rawConsole) End() {}

// jsonConsole tells bytes as base64: they may be no text.
type jsonConsole struct{ app *app }

func (c jsonConsole) Print(stream string, offset int64, raw []byte) error {
	c.app.emit(event.Event{Kind: event.Console, Stream: stream, Offset: &offset, Data: raw})
	return nil
}

func (jsonConsole) End() {}

// terminalConsole lets colours and progress bars pass, and nothing that could harm.
type terminalConsole struct {
	app     *app
	streams map[string]*view.Terminal
}

func (c *terminalConsole) Print(stream string, _ int64, raw []byte) error {
	if shown := c.streams[stream].Show(raw); shown != "" {
		c.app.emit(event.Event{Kind: event.Output, Stream: stream, Text: shown})
	}
	return nil
}

func (c *terminalConsole) End() {
	for _, stream := range []string{proto.Stdout, proto.Stderr} {
		if shown := c.streams[stream].End(); shown != "" {
			c.app.emit(event.Event{Kind: event.Output, Stream: stream, Text: shown})
		}
	}
}
