package audit

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/re-connect/rpctl/proto"
)

// began is when the tests' clock starts; each look at it takes a second.
var began = time.Date(2026, 11, 20, 14, 0, 0, 0, time.UTC)

func testLog(t testing.TB) *Log {
	t.Helper()
	log := New(t.TempDir())
	now := began
	log.now = func() time.Time { now = now.Add(time.Second); return now }
	return log
}

func add(t testing.TB, log *Log, entry proto.AuditEntry) proto.AuditEntry {
	t.Helper()
	written, err := log.Append(entry)
	if err != nil {
		t.Fatal(err)
	}
	return written
}

func verify(t testing.TB, log *Log) proto.AuditReport {
	t.Helper()
	report, err := log.Verify()
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func entry(action string) proto.AuditEntry {
	return proto.AuditEntry{Action: action, Operator: "alice@laptop", User: "home", UID: 1000, From: "10.0.0.7"}
}

// read and replace look at the file as an intruder would.
func read(t testing.TB, log *Log) string {
	t.Helper()
	data, err := os.ReadFile(log.path())
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func replace(t testing.TB, log *Log, text string) {
	t.Helper()
	if err := os.WriteFile(log.path(), []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
}

func TestAppendChains(t *testing.T) {
	log := testLog(t)
	first := add(t, log, entry(ActionLease))
	second := add(t, log, entry(ActionLeaseEnd))
	if first.Seq != 1 || first.Prev != "" || second.Seq != 2 || second.Prev != first.Hash || second.Hash == first.Hash {
		t.Errorf("first %+v, second %+v", first, second)
	}
	if want := (proto.AuditReport{Entries: 2, Head: second.Hash, OK: true}); verify(t, log) != want {
		t.Errorf("Verify = %+v, want %+v", verify(t, log), want)
	}
	last, err := log.Last(1)
	if err != nil || len(last) != 1 || last[0] != second {
		t.Errorf("Last(1) = %+v, %v", last, err)
	}
	if all, _ := log.Last(99); len(all) != 2 || all[0] != first {
		t.Errorf("Last(99) = %+v", all)
	}
	if none, _ := log.Last(0); len(none) != 0 {
		t.Errorf("Last(0) = %+v", none)
	}
}

func TestEmptyLog(t *testing.T) {
	log := testLog(t)
	if got := verify(t, log); got != (proto.AuditReport{OK: true}) {
		t.Errorf("Verify = %+v", got)
	}
	if last, err := log.Last(5); err != nil || len(last) != 0 {
		t.Errorf("Last = %v, %v", last, err)
	}
	if deploy, err := log.LastDeploy(nil); err != nil || deploy != nil {
		t.Errorf("LastDeploy = %v, %v", deploy, err)
	}
}

func TestTextIsOneSafeBoundedLine(t *testing.T) {
	log := testLog(t)
	wild := entry(ActionRecord)
	wild.Operator = "eve\n{\"seq\":9}\x1b[2J\xff"
	wild.Detail = strings.Repeat("\x01", 100_000)
	written := add(t, log, wild)
	if strings.ContainsAny(written.Operator, "\n\x1b") || len(written.Detail) > 4*maxDetail+8 {
		t.Errorf("operator %q, detail of %d bytes", written.Operator, len(written.Detail))
	}
	text := read(t, log)
	if strings.Count(text, "\n") != 1 || len(text) > maxLine {
		t.Errorf("%d lines, %d bytes", strings.Count(text, "\n"), len(text))
	}
	if report := verify(t, log); !report.OK {
		t.Errorf("Verify = %+v", report)
	}
}

func TestVerifyNamesTheFirstLineThatDoesNotFit(t *testing.T) {
	cases := []struct {
		name    string
		tamper  func(lines []string) []string
		problem string
		entries int64
	}{
		{"a changed word", func(l []string) []string { l[1] = strings.Replace(l[1], "alice", "mallo", 1); return l }, "line 2: its text does not fit its hash", 1},
		{"a removed line", func(l []string) []string { return append(l[:1], l[2:]...) }, "line 2: it has number 3 where 2 was due", 1},
		{"a removed first line", func(l []string) []string { return l[1:] }, "line 1: it has number 2 where 1 was due", 0},
		{"swapped lines", func(l []string) []string { l[1], l[2] = l[2], l[1]; return l }, "line 2: it has number 3", 1},
		{"a doubled line", func(l []string) []string { return append(l[:2], l[1:]...) }, "line 3: it has number 2 where 3 was due", 2},
		{"garbage between", func(l []string) []string { return append(l[:1], append([]string{"hello\n"}, l[1:]...)...) }, "line 2: it is no entry", 1},
		{"garbage at the end", func(l []string) []string { return append(l, "hello\n") }, "line 5, the last: it is no entry", 4},
		{"another spelling", func(l []string) []string { l[3] = strings.Replace(l[3], `{"seq":4,`, `{"seq": 4,`, 1); return l }, "line 4, the last: its text", 3},
		{"a field of a newer agent", func(l []string) []string { l[0] = strings.Replace(l[0], `{"seq"`, `{"x":1,"seq"`, 1); return l }, "line 1: it is no entry", 0},
		{"a rewritten line", func(l []string) []string {
			forged, _ := decode([]byte(strings.TrimSuffix(l[1], "\n")))
			forged.Operator = "mallory"
			forged.Hash = hashOf(forged)
			l[1] = string(encode(forged))
			return l
		}, "line 3: it does not continue the line before it", 2},
		{"an overlong line", func(l []string) []string { l[2] = strings.Repeat("x", 3*maxLine) + "\n"; return l }, "line 3: it is no entry", 2},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			log := testLog(t)
			for range 4 {
				add(t, log, entry(ActionRestart))
			}
			lines := strings.SplitAfter(read(t, log), "\n")
			replace(t, log, strings.Join(c.tamper(lines[:4]), ""))
			report := verify(t, log)
			if report.OK || report.Entries != c.entries || !strings.HasPrefix(string(report.Problem), c.problem) {
				t.Errorf("Verify = %+v, want %d entries and %q", report, c.entries, c.problem)
			}
		})
	}
}

func TestWritersOfManyProcessesDoNotTearTheChain(t *testing.T) {
	dir := t.TempDir()
	var writers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
			log := New(dir) // a handle of its own, as another process has
			for range 10 {
				if _, err := log.Append(entry(ActionRestart)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	if report := verify(t, New(dir)); !report.OK || report.Entries != 40 {
		t.Errorf("Verify = %+v", report)
	}
}

// What is not on the disk must not be taken for written.
func TestFailedSync(t *testing.T) {
	log := testLog(t)
	log.sync = func(*os.File) error { return syscall.EIO }
	_, err := log.Append(entry(ActionLease))
	var refusal *proto.Error
	if !errors.As(err, &refusal) || refusal.Code != proto.CodeStorage {
		t.Errorf("Append = %v, want storage", err)
	}
}

func TestStorageErrors(t *testing.T) {
	log := New(filepath.Join(t.TempDir(), "missing"))
	_, err := log.Append(entry(ActionLease))
	var refusal *proto.Error
	if !errors.As(err, &refusal) || refusal.Code != proto.CodeStorage || refusal.Advice.Text() == "" {
		t.Errorf("Append = %#v, want storage", err)
	}
	if _, err := log.Verify(); !errors.As(err, &refusal) || refusal.Code != proto.CodeStorage {
		t.Errorf("Verify = %#v, want storage", err)
	}
}

func TestNewestOnlyRises(t *testing.T) {
	log := New(t.TempDir())
	at := func(hours int, action string) time.Time {
		log.now = func() time.Time { return began.Add(time.Duration(hours) * time.Hour) }
		add(t, log, entry(action))
		newest, err := New(log.dir).Newest()
		if err != nil {
			t.Fatal(err)
		}
		return newest
	}
	if newest, err := log.Newest(); err != nil || !newest.IsZero() {
		t.Errorf("of an empty audit: %v, %v", newest, err)
	}
	for i, step := range []struct {
		hours  int
		action string
		newest int
	}{
		{0, ActionLease, 0}, {5, ActionRefused, 5}, {1, ActionRefused, 5}, {2, ActionLease, 5}, {3, ActionJob, 5},
		{6, ActionJob, 6}, {1, ActionClock, 1}, {2, ActionLease, 2}, {1, ActionLease, 2},
	} {
		if got := at(step.hours, step.action); !got.Equal(began.Add(time.Duration(step.newest) * time.Hour)) {
			t.Errorf("%d: %v", i, got)
		}
	}
	// A line that was cut off, and its note, lower nothing.
	replace(t, log, read(t, log)+`{"seq":10,"ti`)
	if got := at(0, ActionLease); !got.Equal(began.Add(2 * time.Hour)) {
		t.Errorf("after a torn line: %v", got)
	}
	if report := verify(t, log); !report.OK {
		t.Errorf("%+v", report)
	}
}
