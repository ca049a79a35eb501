package view

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/internal/printable"
)

// longestLine bounds what is kept of a command's line that does not end, in bytes.
const longestLine = 64 << 10

// ndjson writes one event a line; docs/json.md is its contract.
type ndjson struct {
	mu      sync.Mutex
	out     io.Writer
	partial map[string]*event.Event // output without its newline yet, by stream
}

func (n *ndjson) Pause(ask func()) { ask() }

func (n *ndjson) Close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.flush()
}

func (n *ndjson) Emit(e event.Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if e.Kind == event.Output {
		n.output(e)
		return
	}
	if e.Kind == event.Step || e.Kind == event.Command {
		n.flush()
	}
	n.write(e)
}

// output cuts what a command prints into lines, one event each.
func (n *ndjson) output(e event.Event) {
	if n.partial == nil {
		n.partial = map[string]*event.Event{}
	}
	kept := n.partial[e.Stream]
	if kept != nil {
		e.Text = kept.Text + e.Text
	}
	for {
		line, rest, whole := strings.Cut(e.Text, "\n")
		if !whole && len(line) < longestLine {
			break
		}
		one := e
		one.Text = strings.TrimSuffix(line, "\r")
		n.write(one)
		e.Text = rest
	}
	delete(n.partial, e.Stream)
	if e.Text != "" {
		n.partial[e.Stream] = &e
	}
}

func (n *ndjson) flush() {
	for _, stream := range []string{"stdout", "stderr", ""} {
		if kept := n.partial[stream]; kept != nil {
			n.write(*kept)
			delete(n.partial, stream)
		}
	}
}

func (n *ndjson) write(e event.Event) {
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(e); err != nil {
		fmt.Fprintf(&line, "{\"event\":\"warning\",\"text\":%q}\n", "cannot encode an event: "+err.Error())
	}
	_, _ = n.out.Write(printable.JSON(line.Bytes())) // who reads is gone: there is nobody to tell
}
