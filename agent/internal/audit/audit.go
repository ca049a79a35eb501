// Package audit remembers on the host what was done there, by whom, and how it ended.
//
// The file `audit.jsonl` in the agent's state folder holds one JSON line for each
// entry. Every entry carries the hash of the one before it, so that a line that
// was changed, removed or slipped in is found by Verify. What the chain cannot
// show is that its newest lines were cut away cleanly: keep the head that Verify
// reports elsewhere if that matters.
//
// A power loss or a full disk can leave a last line without its end. It is kept as
// evidence: the next Append ends it and writes an entry of action ActionTorn that
// names its length and hash, in steps that the power may cut off again (settle). (A
// line that lacks its newline alone is whole, and just gets it.) Verify lets such a
// pair pass and says so; a torn line without that entry, or any other line that is no entry, breaks the chain.
package audit

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/proto"
)

// What an entry tells of.
const (
	ActionLease      = "lease"       // the host was taken; Purpose says what for
	ActionLeaseEnd   = "lease-end"   // and given back
	ActionRestart    = "restart"     // a restart began
	ActionRestartEnd = "restart-end" // and how it ended
	ActionRecord     = "record"      // how the lease's purpose went, as the controller tells it
	ActionRefused    = "refused"     // somebody asked for a change that they may not make
	ActionJob        = "job"         // a job on a plan began
	ActionJobEnd     = "job-end"     // and how it ended
	ActionStep       = "step"        // a step of a plan is about to change data
	ActionStepEnd    = "step-end"    // and where it stands now
	ActionBreakGlass = "BREAK-GLASS" // a job passes closed gates, with the operator's reason
	ActionApprove    = "approve"     // an approval was accepted, and is kept next
	ActionRevoke     = "revoke"      // a revocation of approvals was accepted, and is kept next
	ActionCancel     = "job-cancel"  // somebody asked a job to stop
	ActionTorn       = "torn-line"   // the line before was cut off by a power loss or a full disk
	ActionClock      = "clock-reset" // root accepted the clock: the times of earlier entries count no more
)

const (
	fileName = "audit.jsonl"
	lockName = "audit.lock"

	lockWait  = 20 * time.Second
	lockRetry = 5 * time.Millisecond

	// maxLine bounds a line in bytes: the fields' limits times what JSON may make of them.
	maxLine = 64 << 10
	// maxField and maxDetail bound what one entry keeps of what it was told, in bytes.
	maxField  = 256
	maxDetail = 2048
)

// Log is the audit file of one state folder. It may be used by many processes at once.
type Log struct {
	dir  string
	now  func() time.Time
	sync func(*os.File) error // waits until what was written is on the disk
	open func(path string, flag int) (*os.File, error)
	copy func(line []byte) // nil: no copies are made
}

// New is the log in dir, the agent's state folder. Nothing is opened before it is needed.
func New(dir string) *Log {
	return &Log{dir: dir, now: time.Now, sync: (*os.File).Sync, open: openPlain}
}

// By is the log with another clock; nil is the machine's.
func (l *Log) By(now func() time.Time) *Log {
	if now != nil {
		l.now = now
	}
	return l
}

// Append writes entry at the end and returns it as written: with its number, its
// time (now, unless entry has one), its hashes, and text made safe to show. When it
// returns without error the entry is on the disk. Errors are *proto.Error of
// CodeStorage; the entry is then not in the file, unless the disk does not even let it be taken back.
func (l *Log) Append(entry proto.AuditEntry) (proto.AuditEntry, error) {
	unlock, err := l.lock()
	if err != nil {
		return entry, storage("write the audit file", err)
	}
	defer unlock()
	file, err := l.open(l.path(), os.O_RDWR|os.O_APPEND|os.O_CREATE)
	if err != nil {
		return entry, storage("write the audit file", err)
	}
	defer file.Close()
	end, err := readEnd(file)
	if err != nil {
		return entry, err
	}
	if end, err = l.settle(file, end); err != nil {
		return entry, storage("write the audit file", err)
	}
	text, entry := l.compose(end, entry)
	if end.size == 0 { // before the first byte: a file that has one has its name on the disk
		err = syncFolder(l.dir)
	}
	if err == nil {
		err = l.write(file, end.size, text)
	}
	if err != nil {
		return entry, storage("write the audit file", err)
	}
	l.copied(entry)
	return entry, nil
}

// compose is the text that goes to the end of the file: the entry, and before it the newline
// that the line before may lack.
func (l *Log) compose(end ending, entry proto.AuditEntry) ([]byte, proto.AuditEntry) {
	var text []byte
	if end.open {
		text = append(text, '\n')
	}
	if entry.Time.IsZero() {
		entry.Time = l.now()
	}
	entry = seal(end.last, bounded(entry))
	return append(text, encode(entry)...), entry
}

// write appends text and waits until it is on the disk. What was written of a text
// that did not fit, or did not reach the disk, is taken back: nobody was told that it is there, and
// fsync(2) tells an error once, so that a later one would say nothing of these bytes.
func (l *Log) write(file *os.File, size int64, text []byte) error {
	_, err := file.Write(text)
	if err == nil {
		err = l.sync(file)
	}
	if err != nil {
		_ = file.Truncate(size)
	}
	return err
}

// bounded is the entry with its text cut to length and safe to show.
func bounded(entry proto.AuditEntry) proto.AuditEntry {
	for _, field := range []*string{&entry.Action, &entry.Operator, &entry.User, &entry.From,
		&entry.Purpose, &entry.Release, &entry.Revision, &entry.Result} {
		*field = printable.Excerpt(*field, maxField)
	}
	entry.Detail = printable.Excerpt(entry.Detail, maxDetail)
	return entry
}

func (l *Log) path() string { return filepath.Join(l.dir, fileName) }

// lock keeps other writers out and returns what lets them in again.
func (l *Log) lock() (func(), error) {
	ctx, cancel := context.WithTimeout(context.Background(), lockWait)
	defer cancel()
	lock := flock.New(filepath.Join(l.dir, lockName))
	if _, err := lock.TryLockContext(ctx, lockRetry); err != nil {
		return nil, err
	}
	return func() { _ = lock.Unlock() }, nil
}

// whole opens the file for reading up to where it ends now, between two entries of
// other processes. A file that is not there yet is empty.
func (l *Log) whole() (*io.SectionReader, func(), error) {
	unlock, err := l.lock()
	if err != nil {
		return nil, nil, storage("read the audit file", err)
	}
	defer unlock()
	file, err := l.open(l.path(), os.O_RDONLY)
	if os.IsNotExist(err) {
		return io.NewSectionReader(file, 0, 0), func() {}, nil
	}
	if err != nil {
		return nil, nil, storage("read the audit file", err)
	}
	info, err := file.Stat()
	if err != nil {
		_ = file.Close()
		return nil, nil, storage("read the audit file", err)
	}
	return io.NewSectionReader(file, 0, info.Size()), func() { _ = file.Close() }, nil
}

// openPlain opens a file that must be one: a link would put evidence elsewhere, and a pipe would make
// everybody wait who holds the lock.
func openPlain(path string, flag int) (*os.File, error) {
	file, err := os.OpenFile(path, flag|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o640)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no plain file", path)
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}

func syncFolder(dir string) error {
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}

func storage(what string, err error) *proto.Error {
	return &proto.Error{
		Code:    proto.CodeStorage,
		Message: proto.Textf("cannot %s: %v", what, err),
		Advice:  proto.Advice{Code: proto.AdviceHostDoctor},
	}
}
