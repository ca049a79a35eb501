package audit

import (
	"errors"
	"os"
	"strings"
	"testing"
)

const fragment = "half an entry"

// torn is a log whose last line was cut off.
func torn(t *testing.T) *Log {
	t.Helper()
	log := testLog(t)
	add(t, log, entry(ActionLease))
	replace(t, log, read(t, log)+fragment)
	return log
}

// mustGoOn wants that the next entry is written behind one note of what was cut off, and returns that note's line.
func mustGoOn(t *testing.T, log *Log) string {
	t.Helper()
	next := add(t, log, entry(ActionLeaseEnd))
	if report := verify(t, log); !report.OK || report.Head != next.Hash || report.Entries != 3 {
		t.Fatalf("%+v", report)
	}
	lines := strings.Split(read(t, log), "\n")
	if len(lines) != 5 || !strings.Contains(lines[2], `"`+ActionTorn+`"`) || !strings.HasPrefix(lines[1], fragment) {
		t.Fatalf("the lines are %q", lines)
	}
	return lines[2]
}

// TestAnUnfinishedNoteIsFinished: a note takes two newlines, each of which may be what the power cut.
func TestAnUnfinishedNoteIsFinished(t *testing.T) {
	log := torn(t)
	var before, between string // what is on the disk before the first newline of the note, and after it
	log.sync = func(*os.File) error {
		switch text := read(t, log); {
		case strings.Contains(text, fragment+" {"):
			before = text
		case between == "":
			between = text
		}
		return nil
	}
	note := mustGoOn(t, log)
	if before == "" || !strings.HasSuffix(between, fragment+"\n"+note+blank) {
		t.Fatalf("the disk had %q, then %q", before, between)
	}
	t.Run("before its first newline", func(t *testing.T) {
		cut := testLog(t)
		replace(t, cut, before)
		if again := mustGoOn(t, cut); again == note {
			t.Errorf("the torn line is longer by the first note, and is noted as before: %q", again)
		}
	})
	t.Run("before its second newline", func(t *testing.T) {
		cut := testLog(t)
		replace(t, cut, between)
		if again := mustGoOn(t, cut); again != note {
			t.Errorf("the note became %q, it was %q", again, note)
		}
	})
}

// TestNewlineThatCannotBeMade: the entry is refused, no line is half ended, and the next one goes on.
func TestNewlineThatCannotBeMade(t *testing.T) {
	disk := errors.New("input/output error")
	for newline, name := range []string{"the first", "the second"} {
		for why, broken := range map[string]func(log *Log, path string) (*os.File, error){
			"it cannot be opened":  func(*Log, string) (*os.File, error) { return nil, disk },
			"it cannot be written": func(_ *Log, path string) (*os.File, error) { return os.Open(path) },
			"it stays in memory": func(log *Log, path string) (*os.File, error) {
				log.sync = func(*os.File) error { return disk }
				return openPlain(path, os.O_WRONLY)
			},
		} {
			t.Run(name+": "+why, func(t *testing.T) {
				log, ended, before := torn(t), 0, ""
				whole := *log
				log.open = func(path string, flag int) (*os.File, error) {
					if flag != os.O_WRONLY {
						return openPlain(path, flag)
					}
					if ended++; ended <= newline {
						return openPlain(path, flag)
					}
					before = read(t, log)
					return broken(log, path)
				}
				if _, err := log.Append(entry(ActionLeaseEnd)); err == nil {
					t.Fatal("the entry was taken")
				}
				if got := read(t, log); before == "" || got != before {
					t.Errorf("it left %q, and there was %q", got, before)
				}
				mustGoOn(t, &whole)
			})
		}
	}
}
