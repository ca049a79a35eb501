package view

import (
	"io"
	"sync"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/proto"
)

// plain writes lines and never goes back: for pipes, files and CI.
type plain struct {
	mu     sync.Mutex
	out    io.Writer
	text   text
	phases map[string]proto.Phase // of each host and unit: a phase is told once
	midway bool                   // a command's line has not ended yet
}

func (p *plain) Pause(ask func()) { ask() }
func (p *plain) Close()           {}

func (p *plain) Emit(e event.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e.Kind {
	case event.Output:
		p.write(e.Text)
		p.midway = !endsLine(e.Text)
		return
	case event.Unit:
		p.unit(e)
		return
	}
	p.line(p.text.lines(e))
}

// line writes lines of our own, below a command's line that did not end.
func (p *plain) line(lines string) {
	if lines == "" {
		return
	}
	if p.midway {
		lines, p.midway = "\n"+lines, false
	}
	p.write(lines)
}

func (p *plain) unit(e event.Event) {
	key := e.Host + "\x00" + e.Unit.Unit
	if p.phases[key] == e.Unit.Phase {
		return
	}
	if p.phases == nil {
		p.phases = map[string]proto.Phase{}
	}
	p.phases[key] = e.Unit.Phase
	p.line("    " + unitLine(e.Host, *e.Unit) + "\n")
}

func (p *plain) write(s string) { _, _ = io.WriteString(p.out, s) } // who reads is gone: there is nobody to tell

func endsLine(s string) bool { return s == "" || s[len(s)-1] == '\n' }
