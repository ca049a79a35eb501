package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/re-connect/rpctl/proto"
)

// seal makes entry the one that follows last. The newest time of the audit goes along from entry to entry,
// so that the last one has it, until an entry of ActionClock drops it.
func seal(last, entry proto.AuditEntry) proto.AuditEntry {
	entry.Seq = last.Seq + 1
	entry.Time = entry.Time.UTC().Truncate(time.Millisecond)
	entry.Newest = time.Time{}
	if mark := last.Mark(); mark.After(entry.Time) && entry.Action != ActionClock {
		entry.Newest = mark
	}
	entry.Prev = last.Hash
	entry.Hash = hashOf(entry)
	return entry
}

// hashOf is sha256 over the entry's Prev, a newline, and its JSON without Prev and Hash.
func hashOf(entry proto.AuditEntry) string {
	prev := entry.Prev
	entry.Prev, entry.Hash = "", ""
	sum := sha256.Sum256(append([]byte(prev+"\n"), mustJSON(entry)...))
	return hex.EncodeToString(sum[:])
}

// encode is the entry's line, newline included.
func encode(entry proto.AuditEntry) []byte { return append(mustJSON(entry), '\n') }

func mustJSON(entry proto.AuditEntry) []byte {
	data, err := json.Marshal(entry)
	if err != nil { // only a year past 9999 can do this
		entry.Time = time.Unix(0, 0).UTC()
		data, _ = json.Marshal(entry)
	}
	return data
}

var (
	errNoEntry = errors.New("it is no entry")
	errChanged = errors.New("its text does not fit its hash")
)

// decode reads a line and checks it by itself: it must be byte for byte what encode writes,
// so that nothing can hide in a spelling that the hash does not cover.
func decode(line []byte) (proto.AuditEntry, error) {
	var entry proto.AuditEntry
	if err := proto.DecodeStrict(line, &entry); err != nil {
		return entry, errNoEntry
	}
	if entry.Hash != hashOf(entry) || string(mustJSON(entry)) != string(line) {
		return entry, errChanged
	}
	return entry, nil
}

// follows says why entry cannot stand after last, or nil.
func follows(last, entry proto.AuditEntry) error {
	switch {
	case entry.Seq != last.Seq+1:
		return fmt.Errorf("it has number %d where %d was due: lines were removed or slipped in", entry.Seq, last.Seq+1)
	case entry.Prev != last.Hash:
		return errors.New("it does not continue the line before it: that one was changed or replaced")
	default:
		return nil
	}
}

// scrap is bytes in the file that are no entry.
type scrap struct {
	size int64
	sum  [sha256.Size]byte
}

// describe is how the entry after a torn line names it.
func (s scrap) describe() string {
	return fmt.Sprintf("the line before was cut off: %d bytes, sha256 %x", s.size, s.sum)
}
