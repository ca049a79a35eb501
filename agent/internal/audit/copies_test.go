package audit

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/proto"
)

// copying is a log with a few entries, and the copies of its lines.
func copying(t *testing.T, n int) (*Log, *[][]byte) {
	t.Helper()
	copies := &[][]byte{}
	log := New(t.TempDir()).Copying(func(line []byte) { *copies = append(*copies, bytes.Clone(line)) })
	written(t, log, n)
	return log, copies
}

func written(t *testing.T, log *Log, n int) {
	t.Helper()
	for range n {
		if _, err := log.Append(proto.AuditEntry{Action: ActionRecord, User: "app", Operator: "alice"}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCopiesAreTheLines: each line of the file has its copy, the note of a torn line too, and a line that did not reach the disk has none.
func TestCopiesAreTheLines(t *testing.T) {
	log, copies := copying(t, 2)
	file, err := os.OpenFile(log.path(), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(`{"seq":3,"ti`); err != nil { // the power fails
		t.Fatal(err)
	}
	file.Close()
	written(t, log, 1)
	log.sync = func(*os.File) error { return os.ErrClosed }
	if _, err := log.Append(proto.AuditEntry{Action: ActionRecord, User: "app"}); err == nil {
		t.Fatal("a disk that fails is told of")
	}
	data, err := os.ReadFile(log.path())
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(string(data), "{\"seq\":3,\"ti\n", "", 1)
	if got := string(bytes.Join(*copies, []byte("\n"))) + "\n"; got != want {
		t.Errorf("copies:\n%swant:\n%s", got, want)
	}
}

func TestCompare(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(log *Log, copies [][]byte) [][]byte
		problem string
		copies  int
		missing int64
	}{
		"as it was written":        {copies: 6},
		"the journal is younger":   {change: func(_ *Log, c [][]byte) [][]byte { return c[3:] }, copies: 3},
		"a copy was dropped":       {change: func(_ *Log, c [][]byte) [][]byte { return append(c[:2:2], c[3:]...) }, copies: 5, missing: 1},
		"no copies":                {change: func(*Log, [][]byte) [][]byte { return nil }},
		"other lines in between":   {change: func(_ *Log, c [][]byte) [][]byte { return append([][]byte{[]byte("x"), {}, []byte("{}")}, c...) }, copies: 6},
		"the newest entry is gone": {change: func(log *Log, c [][]byte) [][]byte { truncate(t, log, 5); return c }, problem: "entry 6 of", copies: 6},
		"the file is gone":         {change: func(log *Log, c [][]byte) [][]byte { _ = os.Remove(log.path()); return c }, problem: "entry 1 of", copies: 6},
		"it was written anew":      {change: func(log *Log, c [][]byte) [][]byte { _ = os.Remove(log.path()); rewrite(t, log); return c }, problem: "entry 1 is another one than was written at", copies: 6},
		"and the new one is copied": {change: func(log *Log, c [][]byte) [][]byte {
			_ = os.Remove(log.path())
			rewrite(t, log.Copying(func(line []byte) { c = append(c, bytes.Clone(line)) }))
			return c
		}, problem: "was written twice", copies: 12},
	} {
		t.Run(name, func(t *testing.T) {
			log, copies := copying(t, 6)
			log.copy = nil
			given := *copies
			if c.change != nil {
				given = c.change(log, given)
			}
			got, err := log.Compare(given)
			if err != nil || got.Copies != c.copies || c.problem == "" && got.Missing != c.missing ||
				!strings.Contains(got.Problem, c.problem) || (got.Problem == "") != (c.problem == "") {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

// truncate leaves the first n lines.
func truncate(t *testing.T, log *Log, n int) {
	data, err := os.ReadFile(log.path())
	if err == nil {
		err = os.WriteFile(log.path(), bytes.Join(bytes.SplitAfter(data, []byte("\n"))[:n], nil), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// rewrite writes another audit of the same length.
func rewrite(t *testing.T, log *Log) {
	for range 6 {
		if _, err := log.Append(proto.AuditEntry{Action: ActionRecord, User: "app", Operator: "mallory"}); err != nil {
			t.Fatal(err)
		}
	}
}
