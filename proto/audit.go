package proto

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// OpAuditSince asks for the lines of the audit after one entry.
const OpAuditSince Op = "audit-since"

// AuditHead is where an audit ends: the number of its last entry, and that entry's hash. An empty audit has the zero value.
type AuditHead struct {
	Length int64  `json:"length"`
	Head   string `json:"head"`
}

// AuditSinceArgs asks for the lines after entry number After: the oldest of them that fit an answer.
type AuditSinceArgs struct {
	After int64 `json:"after"`
}

// AuditLines are lines of an audit as they stand in its file, oldest first. An entry that has fields of a newer
// agent is passed on as it is, so that its hash can be checked by an older controller.
type AuditLines struct {
	Lines []json.RawMessage `json:"lines"`
}

// MaxAuditLines is how many lines one answer has at most.
const MaxAuditLines = 500

// The ends of a line of the audit, around the two hashes.
const (
	auditPrev = `,"prev":"`
	auditHash = `","hash":"`
	auditEnd  = `"}`
)

// Next returns where the audit ends after line, which must be the entry that follows h: its number is the next one, it
// names h's hash, and its own hash fits its text.
func (h AuditHead) Next(line []byte) (AuditHead, error) {
	rest, found := bytes.CutPrefix(line, []byte(`{"seq":`))
	digits, _, comma := bytes.Cut(rest, []byte(","))
	seq, err := strconv.ParseInt(string(digits), 10, 64)
	at := bytes.LastIndex(line, []byte(auditPrev))
	if !found || !comma || err != nil || at < 0 {
		return h, errors.New("it is no entry")
	}
	prev, last, whole := bytes.Cut(line[at+len(auditPrev):], []byte(auditHash))
	hash, ended := bytes.CutSuffix(last, []byte(auditEnd))
	if !whole || !ended || len(hash) != hex.EncodedLen(sha256.Size) {
		return h, errors.New("it is no entry")
	}
	sum := sha256.New()
	for _, part := range [][]byte{prev, {'\n'}, line[:at], []byte(auditPrev + auditHash + auditEnd)} {
		_, _ = sum.Write(part) // it never fails (hash.Hash)
	}
	switch {
	case hex.EncodeToString(sum.Sum(nil)) != string(hash):
		return h, fmt.Errorf("the text of entry %d does not fit its hash", seq)
	case seq != h.Length+1:
		return h, fmt.Errorf("entry %d is there where %d was due", seq, h.Length+1)
	case string(prev) != h.Head:
		return h, fmt.Errorf("entry %d does not continue entry %d", seq, h.Length)
	}
	return AuditHead{Length: seq, Head: string(hash)}, nil
}
