package view

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/proto"
)

// Control sequences (ECMA-48) that the live region needs; every terminal of the last decades has them.
const (
	hideCursor = "\x1b[?25l"
	showCursor = "\x1b[?25h"
	eraseDown  = "\r\x1b[J"
)

// frameTime is how often the region is drawn anew while nothing happens.
const frameTime = 120 * time.Millisecond

// mostUnits bounds the region, so that it fits on a small terminal.
const mostUnits = 12

// live keeps a small region at the bottom: the step that runs and the units on their
// way. What stays is written above it, and a command's output passes there as it is.
type live struct {
	mu     sync.Mutex
	out    io.Writer
	text   text
	width  func() int
	now    func() time.Time
	step   string
	began  time.Time
	units  []unitRow
	drawn  int  // lines of the region on the screen
	midway bool // a command's line has not ended: the cursor belongs to the command
	paused int
	closed bool
	stop   chan struct{}
	frames int
}

type unitRow struct {
	host string
	unit proto.UnitProgress
	at   time.Time // when it was told
}

func newLive(o Options) *live {
	l := &live{out: o.Out, text: newText(o), width: o.Width, now: o.Now, stop: make(chan struct{})}
	go l.animate()
	return l
}

func (l *live) animate() {
	frame := time.NewTicker(frameTime)
	defer frame.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-frame.C:
			l.mu.Lock()
			l.frames++
			if l.step != "" {
				l.show("")
			}
			l.mu.Unlock()
		}
	}
}

func (l *live) Emit(e event.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch e.Kind {
	case event.Output:
		l.pass(e.Text)
		return
	case event.Unit:
		l.track(e)
	case event.Step:
		l.step, l.units = "", nil
		if e.State == event.Began {
			l.step, l.began = e.Step, l.now()
		}
	case event.Job:
		l.step = ""
	case event.JobStep:
		l.step = ""
		if moving(e.JobStep.State) {
			l.step, l.began = "step "+printable.Line(string(e.JobStep.Step))+" "+printable.Line(string(e.JobStep.State)), l.now()
		}
	}
	l.show(l.text.lines(e))
}

func (l *live) Pause(ask func()) {
	l.mu.Lock()
	l.paused++
	_, _ = io.WriteString(l.out, l.erase())
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		l.paused--
		l.mu.Unlock()
	}()
	ask()
}

func (l *live) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	close(l.stop)
	rest := l.erase()
	if l.midway {
		rest += "\n"
	}
	l.closed = true
	_, _ = io.WriteString(l.out, rest)
}

// pass writes a command's own bytes above the region.
func (l *live) pass(chunk string) {
	if l.closed {
		return
	}
	frame := l.erase() + chunk
	l.midway = !endsLine(chunk)
	_, _ = io.WriteString(l.out, frame+l.region())
}

// track keeps the newest word of each unit; one that is over leaves the region.
func (l *live) track(e event.Event) {
	row := unitRow{e.Host, *e.Unit, l.now()}
	i := slices.IndexFunc(l.units, func(r unitRow) bool { return r.host == e.Host && r.unit.Unit == e.Unit.Unit })
	if i < 0 {
		l.units = append(l.units, row)
		return
	}
	l.units[i] = row
}

// show writes lines that stay, and the region anew below them, in one write.
func (l *live) show(lines string) {
	if l.closed {
		return
	}
	if l.midway && lines != "" {
		lines, l.midway = "\n"+lines, false
	}
	frame := l.erase() + lines + l.region()
	if frame != "" {
		_, _ = io.WriteString(l.out, frame)
	}
}

// erase takes the region off the screen; the cursor is then where it began.
func (l *live) erase() string {
	if l.drawn == 0 {
		return ""
	}
	up := ""
	if l.drawn > 1 {
		up = fmt.Sprintf("\x1b[%dA", l.drawn-1)
	}
	l.drawn = 0
	return up + eraseDown + showCursor
}

// region is the lines at the bottom, the cursor hidden behind the last.
func (l *live) region() string {
	if l.step == "" || l.midway || l.paused > 0 {
		return ""
	}
	rows := l.rows()
	l.drawn = len(rows)
	return hideCursor + strings.Join(rows, "\n")
}

func (l *live) rows() []string {
	width := max(l.width()-1, 20)
	spinner := []string{"|", "/", "-", `\`}[l.frames%4]
	rows := []string{cut(fmt.Sprintf("%s %s %s", spinner, l.step, took(l.now().Sub(l.began).Truncate(100*time.Millisecond).Milliseconds())), width)}
	over := 0
	var moving []unitRow
	for _, u := range l.units {
		if u.unit.Phase == proto.PhaseSettled || (l.step == "restart" && u.unit.Phase == proto.PhaseStarted) {
			over++
		} else {
			moving = append(moving, u)
		}
	}
	if len(l.units) > 0 {
		rows[0] = cut(fmt.Sprintf("%s  %s %d of %d units", rows[0], bar(int64(over), int64(len(l.units)), 20), over, len(l.units)), width)
	}
	for i, u := range moving {
		if i == mostUnits {
			rows = append(rows, fmt.Sprintf("    and %d more", len(moving)-mostUnits))
			break
		}
		rows = append(rows, cut(l.unitRow(u), width))
	}
	return rows
}

// unitRow is one unit, with a bar where its phase has a total.
func (l *live) unitRow(u unitRow) string {
	name := strings.TrimSuffix(printable.Line(u.unit.Unit), ".service")
	line := fmt.Sprintf("    %s  %-28s  %-9s", u.host, name, printable.Line(string(u.unit.Phase)))
	if u.unit.TimeoutMS <= 0 {
		return line
	}
	elapsed := min(u.unit.ElapsedMS+l.now().Sub(u.at).Milliseconds(), u.unit.TimeoutMS)
	return fmt.Sprintf("%s %s %d/%d s", line, bar(elapsed, u.unit.TimeoutMS, 10), elapsed/1000, u.unit.TimeoutMS/1000)
}
