package audit

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/re-connect/rpctl/proto"
)

// refusals is a log with a clock, and what was written of refusals.
type refusals struct {
	*Log
	t   *testing.T
	now time.Time
}

func newRefusals(t *testing.T) *refusals {
	r := &refusals{t: t, now: time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC)}
	r.Log = New(t.TempDir()).By(func() time.Time { return r.now })
	return r
}

// refuse refuses one user n times.
func (r *refusals) refuse(uid uint32, n int) {
	r.t.Helper()
	for range n {
		if err := r.Refuse(proto.AuditEntry{Action: ActionRefused, User: "app", UID: uid, Result: "forbidden", Detail: strings.Repeat("x", 3000)}); err != nil {
			r.t.Fatal(err)
		}
	}
}

// entries are what the audit has of one user.
func (r *refusals) entries(uid uint32) (own []proto.AuditEntry) {
	r.t.Helper()
	all, err := r.Last(10000)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, entry := range all {
		if entry.UID == uid {
			own = append(own, entry)
		}
	}
	return own
}

// TestRefusalsAreCountedAcrossConnections: 16 lines, then one line for the rest once the window has passed, written when
// anybody connects.
func TestRefusalsAreCountedAcrossConnections(t *testing.T) {
	r := newRefusals(t)
	r.refuse(1000, 328)
	r.refuse(1001, 1)
	if n := len(r.entries(1000)); n != refusedInWindow {
		t.Errorf("%d lines, want %d", n, refusedInWindow)
	}
	if n := len(r.entries(1001)); n != 1 {
		t.Errorf("%d lines of another user", n)
	}
	for range 2 { // once only
		r.now = r.now.Add(refusedWindow)
		if err := New(r.dir).By(func() time.Time { return r.now }).TellRefused(); err != nil {
			t.Fatal(err)
		}
	}
	all := r.entries(1000)
	var told []proto.AuditEntry
	for _, entry := range all {
		if strings.Contains(entry.Detail, "and 312 more refused changes since 2026-11-22T18:00:00Z") {
			told = append(told, entry)
		}
	}
	if len(told) != 1 || len(all) != refusedInWindow+1 || told[0].User != "app" {
		t.Errorf("%d lines, %+v", len(all), told)
	}
	if report, err := r.Verify(); err != nil || !report.OK {
		t.Errorf("%+v, %v", report, err)
	}
}

// TestRefusalsOfADayAreBounded: a user who never stops makes the file grow by less than a megabyte a day.
func TestRefusalsOfADayAreBounded(t *testing.T) {
	r := newRefusals(t)
	r.sync = func(*os.File) error { return nil } // it is about the size
	for range 24 * 60 / 8 {
		r.refuse(1000, refusedInWindow+1)
		r.now = r.now.Add(8 * time.Minute)
	}
	info, err := os.Stat(r.path())
	if err != nil {
		t.Fatal(err)
	}
	if n := len(r.entries(1000)); n > 600 || info.Size() > 1<<20 {
		t.Errorf("%d lines, %d bytes in a day", n, info.Size())
	}
	r.now = r.now.Add(48 * time.Hour)
	r.refuse(1000, 1)
	r.now = r.now.Add(2 * time.Minute)
	before := len(r.entries(1000))
	r.refuse(1000, 1)
	if n := len(r.entries(1000)); n != before+1 {
		t.Errorf("a refusal after two quiet days has no line of its own")
	}
}

// TestAcceptedChangesAreAlwaysWritten, however often the user was refused.
func TestAcceptedChangesAreAlwaysWritten(t *testing.T) {
	r := newRefusals(t)
	r.refuse(1000, 100)
	before := len(r.entries(1000))
	for range 50 {
		if _, err := r.Append(proto.AuditEntry{Action: ActionLease, User: "app", UID: 1000}); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(r.entries(1000)); n != before+50 {
		t.Errorf("%d lines, want %d", n, before+50)
	}
}

// TestTornCountOfRefusals is none.
func TestTornCountOfRefusals(t *testing.T) {
	r := newRefusals(t)
	r.refuse(1000, 20)
	for _, text := range []string{"", `{"since":"20`, `{"doubled":99}`, `{"doubled":-1}`, "null"} {
		if err := os.WriteFile(filepath.Join(r.dir, refusedFolder, "1000.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		before := len(r.entries(1000))
		r.refuse(1000, 1)
		if n := len(r.entries(1000)); n != before+1 {
			t.Errorf("%q: no line", text)
		}
	}
}
