package audit

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"github.com/re-connect/rpctl/proto"
)

// Identifier is under which name copies of the lines stand in the journal.
const Identifier = "rp-agent-audit"

// Copying is the log that gives a copy of each line to copy, once the line is on the disk and before the next one is written. The
// line has no newline and must not be kept. A copy that fails is no reason not to go on: the file is the audit.
func (l *Log) Copying(copy func(line []byte)) *Log {
	l.copy = copy
	return l
}

// copied gives out a copy of an entry.
func (l *Log) copied(entry proto.AuditEntry) {
	if l.copy != nil {
		l.copy(mustJSON(entry))
	}
}

// Compared is what a comparison of the audit with copies of its lines found.
type Compared struct {
	Copies int // that are entries
	// Problem is the first copy of which the audit has no such entry; empty where each has its own.
	Problem string
	// Missing is how many entries since the first copy have none: they were dropped, or never made.
	Missing int64
}

// Compare looks for each of the copies, oldest first, in the audit. What is no entry among them is passed over.
func (l *Log) Compare(copies [][]byte) (Compared, error) {
	var result Compared
	wanted := map[int64]proto.AuditEntry{}
	first := int64(0)
	for _, line := range copies {
		entry, err := decode(bytes.TrimSpace(line))
		if err != nil {
			continue
		}
		result.Copies++
		if before, twice := wanted[entry.Seq]; twice && before.Hash != entry.Hash && result.Problem == "" {
			result.Problem = fmt.Sprintf("entry %d was written twice, as %q at %s and as %q at %s", entry.Seq,
				before.Action, before.Time.Format(stampForm), entry.Action, entry.Time.Format(stampForm))
		}
		wanted[entry.Seq] = entry
		if first == 0 || entry.Seq < first {
			first = entry.Seq
		}
	}
	if result.Copies == 0 {
		return result, nil
	}
	found, lowest := map[int64]string{}, int64(0)
	err := l.eachBackward(func(entry proto.AuditEntry) bool {
		found[entry.Seq], lowest = entry.Hash, entry.Seq
		return entry.Seq > first
	})
	if err != nil {
		return result, err
	}
	for seq := range found {
		if _, copied := wanted[seq]; !copied && seq >= first {
			result.Missing++
		}
	}
	for _, seq := range slices.Sorted(maps.Keys(wanted)) {
		entry, hash := wanted[seq], found[seq]
		switch {
		case result.Problem != "" || hash == entry.Hash:
		case hash != "":
			result.Problem = fmt.Sprintf("entry %d is another one than was written at %s (%q)", seq, entry.Time.Format(stampForm), entry.Action)
		case seq > lowest || lowest <= 1: // what is older than maxBack was not looked at
			result.Problem = fmt.Sprintf("entry %d of %s (%q) is gone", seq, entry.Time.Format(stampForm), entry.Action)
		}
	}
	return result, nil
}

// stampForm is how a time is shown.
const stampForm = "2006-01-02 15:04:05 MST"
