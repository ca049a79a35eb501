package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/re-connect/rpctl/proto"
)

// maxBack is how far from the file's end Last and LastDeploy look, in bytes: some 30 000 entries.
const maxBack = 16 << 20

// Last is the newest n entries, oldest first. Lines that are no entries are passed over: Verify names them.
func (l *Log) Last(n int) ([]proto.AuditEntry, error) {
	var entries []proto.AuditEntry
	err := l.eachBackward(func(entry proto.AuditEntry) bool {
		if len(entries) < n {
			entries = append(entries, entry)
		}
		return len(entries) < n
	})
	slices.Reverse(entries)
	return entries, err
}

// Newest is the newest time that any entry has, since root accepted the clock; zero for an empty audit. It only
// rises: an entry that was written after the clock was turned back does not lower it.
func (l *Log) Newest() (time.Time, error) {
	last, err := l.Last(1)
	if err != nil || len(last) == 0 {
		return time.Time{}, err
	}
	return last[0].Mark(), nil
}

// Head is where the audit ends.
func (l *Log) Head() (proto.AuditHead, error) {
	last, err := l.Last(1)
	if err != nil || len(last) == 0 {
		return proto.AuditHead{}, err
	}
	return proto.AuditHead{Length: last[0].Seq, Head: last[0].Hash}, nil
}

// maxSince is how many bytes of lines one answer of Since has, and maxSinceBack how far from the file's end it looks.
const (
	maxSince     = 512 << 10
	maxSinceBack = 128 << 20
)

// Since is the lines of the entries after number after, oldest first: the oldest of them that fit one answer. Torn lines are
// passed over, as by Last: the note of each is an entry.
func (l *Log) Since(after int64) ([]json.RawMessage, error) {
	file, closeFile, err := l.whole()
	if err != nil {
		return nil, err
	}
	defer closeFile()
	newestFirst, bytes := []json.RawMessage{}, 0
	lines := newBackward(file, file.Size())
	for {
		line, start, err := lines.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil && file.Size()-start > maxSinceBack {
			err = storage("read the audit file", fmt.Errorf("entry %d is more than %d MiB from its end", after, maxSinceBack>>20))
		}
		if err != nil {
			return nil, err
		}
		entry, err := decode(line)
		if err != nil {
			continue
		}
		if entry.Seq <= after {
			break
		}
		newestFirst, bytes = append(newestFirst, slices.Clone(line)), bytes+len(line)
		for len(newestFirst) > proto.MaxAuditLines || bytes > maxSince {
			bytes -= len(newestFirst[0])
			newestFirst = newestFirst[1:]
		}
	}
	slices.Reverse(newestFirst)
	return newestFirst, nil
}

// LastDeploy is the newest deploy or rollback: the lease that was taken for one, what was recorded
// under it, and its end. One that ended without a record has result "unknown"; one without an end
// is "running" if holder, who holds the host now (nil: nobody), holds it for that. One that was
// refused before it touched anything does not count. Nil: there was none.
func (l *Log) LastDeploy(holder *proto.Holder) (*proto.DeployRecord, error) {
	var found *proto.DeployRecord
	var record, end *proto.AuditEntry
	newest := true // no younger lease was passed
	err := l.eachBackward(func(entry proto.AuditEntry) bool {
		switch entry.Action {
		case ActionRecord:
			if record == nil {
				record = &entry
			}
		case ActionLeaseEnd:
			end = &entry
		case ActionLease:
			deploys := entry.Purpose == "deploy" || entry.Purpose == "rollback"
			if deploys && (record == nil || record.Result != proto.NotBegun) {
				live := newest && holder != nil && holder.UID == entry.UID && string(holder.Purpose) == entry.Purpose
				found = deployOf(entry, record, end, live)
				return false
			}
			record, end, newest = nil, nil, false
		}
		return true
	})
	return found, err
}

// deployOf puts together what the entries of one lease tell.
func deployOf(lease proto.AuditEntry, record, end *proto.AuditEntry, live bool) *proto.DeployRecord {
	deploy := &proto.DeployRecord{Kind: lease.Purpose, Operator: proto.HostText(lease.Operator), User: proto.HostText(lease.User), Began: lease.Time, Result: proto.ResultUnknown}
	if end != nil {
		deploy.Ended = end.Time
		deploy.Detail = proto.HostText(end.Result)
	}
	switch {
	case record != nil:
		deploy.Ended, deploy.Result = record.Time, record.Result
		deploy.Release, deploy.Revision, deploy.Detail = record.Release, record.Revision, proto.HostText(record.Detail)
	case end == nil && live:
		deploy.Result = "running"
	}
	return deploy
}

// eachBackward gives the entries from the newest, until visit says to stop.
func (l *Log) eachBackward(visit func(proto.AuditEntry) bool) error {
	file, closeFile, err := l.whole()
	if err != nil {
		return err
	}
	defer closeFile()
	lines := newBackward(file, file.Size())
	for {
		line, start, err := lines.next()
		if errors.Is(err, io.EOF) || (err == nil && file.Size()-start > maxBack) {
			return nil
		}
		if err != nil {
			return err
		}
		if entry, err := decode(line); err == nil && !visit(entry) {
			return nil
		}
	}
}
