package workers

import (
	"context"
	"strings"
	"time"

	"github.com/re-connect/rpctl/internal/secret"
	"github.com/re-connect/rpctl/proto"
)

// What of the journal may go into one answer: an answer is one line of at most
// proto.MaxLine bytes, and JSON may write a byte as six.
const (
	excerptLines   = 10
	excerptMessage = 600       // bytes of a message
	excerptBudget  = 100 << 10 // bytes of all messages of an answer
)

// excerptPatience is how long the journal may take for one answer: a slow journal must
// not hide a verdict.
const excerptPatience = 10 * time.Second

// excerpts takes last lines for one answer, as long as there is room.
type excerpts struct {
	journal Tailer
	room    int
	until   time.Time
}

func (s *Service) excerpts() *excerpts {
	return &excerpts{s.Journal, excerptBudget, time.Now().Add(excerptPatience)}
}

// of is the unit's last lines, and why, with what hindered us added.
func (e *excerpts) of(ctx context.Context, unit string, why proto.HostText) ([]proto.LogLine, proto.HostText) {
	if e.journal == nil {
		return nil, why
	}
	if e.room <= 0 {
		return nil, join(why, proto.HostText("for its journal: rpctl logs --unit "+unit))
	}
	ctx, cancel := context.WithDeadline(ctx, e.until)
	defer cancel()
	lines, err := e.journal.Tail(ctx, unit, excerptLines)
	if err != nil {
		return nil, join(why, proto.HostText(err.Error()))
	}
	lines = append([]proto.LogLine(nil), lines...)
	for i, line := range lines {
		lines[i].Message = proto.HostText(shorten(secret.Mask(string(line.Message)))) // a worker that crashes may print what it was configured with
		e.room -= len(lines[i].Message)
	}
	return lines, why
}

// shorten cuts between characters.
func shorten(message string) string {
	if len(message) <= excerptMessage {
		return message
	}
	return strings.ToValidUTF8(message[:excerptMessage-len("…")], "") + "…"
}
