package audit

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/proto"
)

// TestSinceContinuesTheChain: the lines of Since lead from any earlier head to the present one, page by page.
func TestSinceContinuesTheChain(t *testing.T) {
	log := New(t.TempDir())
	log.sync = func(*os.File) error { return nil }
	heads := []proto.AuditHead{{}}
	add := func(detail string) {
		t.Helper()
		if _, err := log.Append(proto.AuditEntry{Action: ActionRecord, User: "app", Detail: detail}); err != nil {
			t.Fatal(err)
		}
		head, err := log.Head()
		if err != nil {
			t.Fatal(err)
		}
		heads = append(heads, head)
	}
	for i := range 20 {
		add(fmt.Sprintf("<é&\u2028 %d>", i))
	}
	file, err := os.OpenFile(log.path(), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(`{"seq":21,"ti`); err != nil { // the power fails
		t.Fatal(err)
	}
	file.Close()
	for i := range proto.MaxAuditLines {
		add(strings.Repeat("x", i%maxDetail))
	}
	last := heads[len(heads)-1]
	for _, from := range []int{0, 1, 19, 20, 22, len(heads) - 2, len(heads) - 1} {
		head, pages := heads[from], 0
		for head.Length < last.Length {
			lines, err := log.Since(head.Length)
			if err != nil || len(lines) == 0 {
				t.Fatalf("after %d: %d lines, %v", head.Length, len(lines), err)
			}
			if over, err := json.Marshal(proto.AuditLines{Lines: lines}); err != nil || len(over) > proto.MaxLine {
				t.Fatalf("%d bytes, %v", len(over), err)
			}
			for _, line := range carried(t, lines) {
				if head, err = head.Next(line); err != nil {
					t.Fatalf("from %d: %v", from, err)
				}
			}
			pages++
		}
		if head != last || pages > 3 {
			t.Errorf("from %d: it ends at %+v after %d pages, want %+v", from, head, pages, last)
		}
	}
	if lines, err := log.Since(last.Length); err != nil || len(lines) != 0 {
		t.Errorf("%d lines, %v", len(lines), err)
	}
	if head, err := New(t.TempDir()).Head(); err != nil || head != (proto.AuditHead{}) {
		t.Errorf("an empty audit ends at %+v, %v", head, err)
	}
}

// carried is the lines as they come over the wire.
func carried(t *testing.T, lines []json.RawMessage) []json.RawMessage {
	t.Helper()
	text, err := json.Marshal(proto.AuditLines{Lines: lines})
	var got proto.AuditLines
	if err == nil {
		err = json.Unmarshal(text, &got)
	}
	if err != nil {
		t.Fatal(err)
	}
	return got.Lines
}
