package agentclient

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"sync"
)

// stderrShown is how many bytes of a channel's stderr are kept or shown.
const stderrShown = 8 << 10

// stderrLog drains a channel's stderr, so that a talkative host does not block
// itself. Up to the greeting lines are kept, since they may be the reason that none
// comes; then they are warnings.
type stderrLog struct {
	warn  func(string)
	ended chan struct{} // closed at the end of the stream

	mu      sync.Mutex
	started bool // the greeting has come
	lines   []string
	left    int
}

func newStderrLog(warn func(string)) *stderrLog {
	return &stderrLog{warn: warn, ended: make(chan struct{}), left: stderrShown}
}

func (l *stderrLog) drain(stderr io.Reader) {
	defer close(l.ended)
	buffered := bufio.NewReaderSize(stderr, 4096)
	for {
		part, err := buffered.ReadSlice('\n') // a longer line is shown in parts
		l.add(strings.TrimRight(string(part), "\r\n"))
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

func (l *stderrLog) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if line == "" || l.left <= 0 {
		return
	}
	line = line[:min(len(line), l.left)]
	l.left -= len(line)
	l.lines = append(l.lines, line)
	if l.started {
		l.warn(line)
	}
}

// greeted shows what was kept, and from now on shows lines as they come.
func (l *stderrLog) greeted() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.started = true
	for _, line := range l.lines {
		l.warn(line)
	}
}

// last is the newest line, which is where a program says why it ends.
func (l *stderrLog) last() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.lines) == 0 {
		return ""
	}
	return l.lines[len(l.lines)-1]
}
