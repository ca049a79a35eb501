package journal

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/re-connect/rpctl/proto"
)

// subject is what both kinds of journal can do, and the way to put lines in.
type subject interface {
	Add(unit string, line proto.LogLine)
	Tail(ctx context.Context, unit string, n int) ([]proto.LogLine, error)
	Follow(ctx context.Context, units []string, n int, follow bool, emit func(proto.LogLine) error) error
}

const one, two = "messenger_worker_async@1.service", "messenger_worker_async@2.service"

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func both(t *testing.T, test func(t *testing.T, s subject)) {
	t.Run("journalctl", func(t *testing.T) { test(t, newFake(t)) })
	t.Run("memory", func(t *testing.T) { test(t, new(Memory)) })
}

// fill adds "1" to "n" to both units in turn.
func fill(s subject, n int) {
	for i := range n {
		at := proto.LogLine{Time: noon.Add(time.Duration(i) * time.Second), Priority: 5}
		at.Message = proto.Textf("one %d", i+1)
		s.Add(one, at)
		at.Message = proto.Textf("two %d", i+1)
		s.Add(two, at)
	}
}

func messages(lines []proto.LogLine) string {
	var out []string
	for _, l := range lines {
		out = append(out, string(l.Message))
	}
	return strings.Join(out, ", ")
}

func TestTail(t *testing.T) {
	both(t, func(t *testing.T, s subject) {
		fill(s, 5)
		lines, err := s.Tail(t.Context(), one, 2)
		if err != nil || messages(lines) != "one 4, one 5" {
			t.Fatalf("got %s, %v", messages(lines), err)
		}
		want := proto.LogLine{Time: noon.Add(4 * time.Second), Unit: one, Priority: 5, Message: "one 5"}
		if lines[1] != want {
			t.Errorf("got %+v, want %+v", lines[1], want)
		}
		if lines, err := s.Tail(t.Context(), "other@1.service", 2); err != nil || len(lines) != 0 {
			t.Errorf("a silent unit gave %v, %v", lines, err)
		}
	})
}

func TestOnlyNamesOfServices(t *testing.T) {
	both(t, func(t *testing.T, s subject) {
		for _, unit := range []string{"", "*", "messenger_worker_async@*.service", "ssh.socket", "--help", "a b.service", "x\n.service"} {
			_, err := s.Tail(t.Context(), unit, 1)
			if refused, ok := errors.AsType[*proto.Error](err); !ok || refused.Code != proto.CodeBadRequest {
				t.Errorf("%q: got %v", unit, err)
			}
		}
	})
}

func TestPastOfSeveralUnitsIsInOrder(t *testing.T) {
	both(t, func(t *testing.T, s subject) {
		fill(s, 3)
		var lines []proto.LogLine
		err := s.Follow(t.Context(), []string{two, one}, 3, false, func(l proto.LogLine) error {
			lines = append(lines, l)
			return nil
		})
		if err != nil || messages(lines) != "two 2, one 3, two 3" {
			t.Errorf("got %s, %v", messages(lines), err)
		}
	})
}

func TestFollowUntilCancelled(t *testing.T) {
	both(t, func(t *testing.T, s subject) {
		fill(s, 2)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var got []string
		err := s.Follow(ctx, []string{one}, 1, true, func(l proto.LogLine) error {
			got = append(got, string(l.Message))
			switch l.Message {
			case "one 2":
				s.Add(two, proto.LogLine{Time: noon, Message: "not asked for"})
				s.Add(one, proto.LogLine{Time: noon, Message: "fresh"})
			case "fresh":
				cancel()
			}
			return nil
		})
		if err != nil {
			t.Errorf("ended with %v", err)
		}
		if want := []string{"one 2", "fresh"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestFollowEndsWhenNobodyTakesTheLines(t *testing.T) {
	both(t, func(t *testing.T, s subject) {
		fill(s, 2)
		gone := errors.New("the caller is gone")
		err := s.Follow(t.Context(), []string{one}, 2, true, func(proto.LogLine) error { return gone })
		if !errors.Is(err, gone) {
			t.Errorf("ended with %v", err)
		}
	})
}

func TestLongMessageIsCut(t *testing.T) {
	both(t, func(t *testing.T, s subject) {
		s.Add(one, proto.LogLine{Time: noon, Message: proto.HostText(strings.Repeat("é", proto.MaxLogMessage))})
		lines, err := s.Tail(t.Context(), one, 1)
		if err != nil || len(lines) != 1 {
			t.Fatalf("got %d lines, %v", len(lines), err)
		}
		got := lines[0].Message
		if len(got) > proto.MaxLogMessage || len(got) < proto.MaxLogMessage-4 || !strings.HasSuffix(string(got), "é"+cutMark) {
			t.Errorf("%d bytes, ending in %q", len(got), got[len(got)-20:])
		}
	})
}

func TestMemoryForgetsTheOldest(t *testing.T) {
	var m Memory
	fill(&m, kept+5)
	lines, err := m.Tail(t.Context(), one, proto.MaxLogLines)
	if err != nil || len(lines) != kept || lines[0].Message != "one 6" {
		t.Errorf("kept %d lines from %q, %v", len(lines), lines[0].Message, err)
	}
}
