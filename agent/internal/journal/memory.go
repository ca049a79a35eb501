package journal

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/re-connect/rpctl/proto"
)

// kept is how many lines Memory remembers of each unit.
const kept = 1000

// Memory keeps the last lines of each unit itself, for hosts whose service manager
// is part of the process (agent/embedded). The zero value is ready.
type Memory struct {
	mu    sync.Mutex
	seq   uint64 // of the newest line
	units map[string][]numbered
	grown chan struct{} // closed, and replaced, when a line comes
}

// numbered is a line and its place in the order of arrival.
type numbered struct {
	seq  uint64
	line proto.LogLine
}

// Add remembers a line of a unit. It never waits; the oldest line gives way.
func (m *Memory) Add(unit string, line proto.LogLine) {
	line.Unit, line.Message = unit, proto.HostText(cut(string(line.Message)))
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seq++
	if m.units == nil {
		m.units = map[string][]numbered{}
	}
	lines := append(m.units[unit], numbered{m.seq, line})
	if len(lines) > kept {
		lines = slices.Delete(lines, 0, len(lines)-kept)
	}
	m.units[unit] = lines
	if m.grown != nil {
		close(m.grown)
		m.grown = nil
	}
}

// Tail is as Journalctl.Tail.
func (m *Memory) Tail(_ context.Context, unit string, n int) ([]proto.LogLine, error) {
	if err := checkUnits([]string{unit}); err != nil {
		return nil, err
	}
	lines, _, _ := m.after(0, []string{unit})
	return plain(last(lines, n)), nil
}

// Follow is as Journalctl.Follow; a follower that is slower than a full ring misses lines.
func (m *Memory) Follow(ctx context.Context, units []string, n int, follow bool, emit func(proto.LogLine) error) error {
	if err := checkUnits(units); err != nil {
		return err
	}
	lines, seen, grown := m.after(0, units)
	lines = last(lines, n)
	for {
		for _, line := range plain(lines) {
			if err := emit(line); err != nil {
				return err
			}
		}
		if !follow {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-grown:
			lines, seen, grown = m.after(seen, units)
		}
	}
}

// after is the units' lines later than seq, in order, the newest seq, and what tells of the next line.
func (m *Memory) after(seq uint64, units []string) ([]numbered, uint64, <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []numbered
	for _, unit := range units {
		for _, line := range m.units[unit] {
			if line.seq > seq {
				found = append(found, line)
			}
		}
	}
	slices.SortFunc(found, func(a, b numbered) int { return cmp.Compare(a.seq, b.seq) })
	if m.grown == nil {
		m.grown = make(chan struct{})
	}
	return found, m.seq, m.grown
}

func last(lines []numbered, n int) []numbered { return lines[max(len(lines)-bounded(n), 0):] }

func plain(lines []numbered) []proto.LogLine {
	out := make([]proto.LogLine, len(lines))
	for i, l := range lines {
		out[i] = l.line
	}
	return out
}
