package view

import (
	"bytes"
	"regexp"
	"testing"

	"github.com/re-connect/rpctl/controller/internal/event"
)

// TestWhatNobodyLookedAt: of a host that was not asked after the command the summary claims nothing.
func TestWhatNobodyLookedAt(t *testing.T) {
	var out bytes.Buffer
	v := New(Options{Out: &out})
	v.Emit(event.Event{Kind: event.Summary, Summary: &event.Report{Operation: "deploy", Environment: "preprod", Exit: 130, Result: "interrupted",
		Hosts: []event.HostReport{{Host: "pp1", Code: "unknown", Before: "11", Units: 6}}}})
	if !regexp.MustCompile(`(?m)^pp1 +unknown +11 → unknown +-\s*$`).Match(out.Bytes()) {
		t.Errorf("got %s", out.String())
	}
}
