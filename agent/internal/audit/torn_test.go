package audit

import (
	"errors"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/proto"
)

func TestTornLastLineIsKeptAndNoted(t *testing.T) {
	for name, fragment := range map[string]string{
		"half an entry": `{"seq":3,"time":"2026-11-20T14:0`,
		"zeros":         strings.Repeat("\x00", 700),
		"long":          strings.Repeat("x", 2*maxLine),
	} {
		t.Run(name, func(t *testing.T) {
			log := testLog(t)
			add(t, log, entry(ActionLease))
			add(t, log, entry(ActionLeaseEnd))
			replace(t, log, read(t, log)+fragment)
			if report := verify(t, log); report.OK || report.Entries != 2 || !strings.Contains(string(report.Problem), "line 3, the last") {
				t.Errorf("before the next entry: %+v", report)
			}
			if last, err := log.Last(1); err != nil || len(last) != 1 || last[0].Seq != 2 {
				t.Errorf("Last = %+v, %v", last, err)
			}

			next := add(t, log, entry(ActionLease))
			if next.Seq != 4 {
				t.Errorf("the entry has number %d, want 4, after the note", next.Seq)
			}
			if !strings.Contains(read(t, log), fragment+"\n") {
				t.Error("the torn line was not kept")
			}
			report := verify(t, log)
			if !report.OK || report.Entries != 4 || !strings.HasPrefix(string(report.Problem), "line 3 was cut off") {
				t.Errorf("after the next entry: %+v", report)
			}
			if all, _ := log.Last(9); len(all) != 4 || all[2].Action != ActionTorn {
				t.Errorf("Last(9) = %+v", all)
			}

			replace(t, log, strings.Replace(read(t, log), fragment, fragment[1:], 1))
			if report := verify(t, log); report.OK {
				t.Errorf("a changed torn line passes: %+v", report)
			}
			replace(t, log, strings.Replace(read(t, log), fragment[1:]+"\n", "", 1))
			if report := verify(t, log); report.OK || !strings.Contains(string(report.Problem), "is not there") {
				t.Errorf("a removed torn line passes: %+v", report)
			}
		})
	}
}

func TestOnlyATornLine(t *testing.T) {
	log := testLog(t)
	replace(t, log, "half")
	add(t, log, entry(ActionLease))
	if report := verify(t, log); !report.OK || report.Entries != 2 {
		t.Errorf("Verify = %+v", report)
	}
}

// TestWithoutItsNewlineAloneALineIsWhole: noted as torn it would be an entry too many, and break the chain for good.
func TestWithoutItsNewlineAloneALineIsWhole(t *testing.T) {
	for entries := 1; entries <= 2; entries++ {
		log := testLog(t)
		for range entries {
			add(t, log, entry(ActionLease))
		}
		replace(t, log, strings.TrimSuffix(read(t, log), "\n"))
		if report := verify(t, log); !report.OK || report.Entries != int64(entries) || report.Problem != "" {
			t.Errorf("before the next entry: Verify = %+v", report)
		}
		if next := add(t, log, entry(ActionLeaseEnd)); next.Seq != int64(entries)+1 {
			t.Errorf("the entry after %d has number %d", entries, next.Seq)
		}
		if report := verify(t, log); !report.OK || report.Problem != "" {
			t.Errorf("Verify = %+v", report)
		}
	}
}

// TestWithoutItsNewlineALineMustFollowAllTheSame: what a power cut leaves is never an earlier line.
func TestWithoutItsNewlineALineMustFollowAllTheSame(t *testing.T) {
	log := testLog(t)
	add(t, log, entry(ActionLease))
	add(t, log, entry(ActionLeaseEnd))
	lines := strings.SplitAfter(read(t, log), "\n")
	replace(t, log, lines[0]+lines[1]+strings.TrimSuffix(lines[0], "\n"))
	for range 2 {
		if report := verify(t, log); report.OK || report.Entries != 2 || !strings.Contains(string(report.Problem), "line 3: it has number 1 where 3 was due") {
			t.Errorf("Verify = %+v", report)
		}
		add(t, log, entry(ActionLease)) // does not hide it
	}
}

func TestForeignLastLineStopsTheChain(t *testing.T) {
	log := testLog(t)
	add(t, log, entry(ActionLease))
	before := read(t, log) + "I was here\n"
	replace(t, log, before)
	_, err := log.Append(entry(ActionLease))
	var refusal *proto.Error
	if !errors.As(err, &refusal) || refusal.Code != proto.CodeStorage || !strings.Contains(refusal.Advice.Text(), "audit verify") {
		t.Errorf("Append = %v", err)
	}
	if read(t, log) != before {
		t.Error("the refused Append changed the file")
	}
}
