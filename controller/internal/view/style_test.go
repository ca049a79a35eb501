package view

import (
	"strings"
	"testing"
	"time"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/proto"
)

// TestOnlyATerminalCuts: a pipe or a file, which has no width, gets every word.
func TestOnlyATerminalCuts(t *testing.T) {
	long := strings.Repeat("a long detail ", 20) + "end"
	entries := []event.Event{{Audit: &proto.AuditEntry{Time: time.Unix(0, 0), Action: "record", Detail: long}}}
	if got := HistoryTable(entries, Look{}); !strings.Contains(got, "end\n") {
		t.Errorf("a pipe got:\n%s", got)
	}
	for line := range strings.Lines(HistoryTable(entries, Look{Width: 80})) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 80 {
			t.Errorf("%d characters on a terminal of 80:\n%s", n, line)
		}
	}
	var out strings.Builder
	v := New(Options{Out: &out, Width: func() int { return 80 }})
	v.Emit(event.Event{Kind: event.Verdict, Host: "pp1", Verdict: &proto.UnitVerdict{Journal: []proto.LogLine{{Message: proto.HostText(long)}}}})
	if !strings.Contains(out.String(), "end\n") {
		t.Errorf("a pipe got:\n%s", &out)
	}
}
