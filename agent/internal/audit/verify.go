package audit

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/re-connect/rpctl/proto"
)

// Verify reads the whole file and checks the chain. A chain that does not hold is
// no error but a report with OK false, whose Problem names the first line that
// does not fit; a torn line that was noted leaves OK true and is named too. A last
// line that lacks its newline alone is an entry like any other, as for Append.
// Entries and Head are those before the problem.
func (l *Log) Verify() (proto.AuditReport, error) {
	file, closeFile, err := l.whole()
	if err != nil {
		return proto.AuditReport{}, err
	}
	defer closeFile()
	check := checker{}
	lines := bufio.NewReaderSize(file, 32<<10)
	for {
		line, size, whole, err := readLine(lines)
		if size.size == 0 && !whole && errors.Is(err, io.EOF) {
			break
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return proto.AuditReport{}, storage("read the audit file", err)
		}
		if !check.line(line, size, whole) {
			break
		}
	}
	return check.report(), nil
}

// checker walks the chain, line by line.
type checker struct {
	number  int64 // of the line
	last    proto.AuditEntry
	torn    *scrap // the line before was no entry, and may have been torn
	tornWhy error
	noted   int64 // first torn line that was noted
	problem string
}

// line takes the next line, and says whether to go on.
func (c *checker) line(line []byte, size scrap, whole bool) bool {
	c.number++
	entry, err := decode(line)
	if !whole && c.torn != nil { // Append goes on from nothing else
		if note, ok := noteIn(line); ok {
			entry, err = note, nil
		} else {
			err = errNoEntry
		}
	}
	switch {
	case err != nil && c.torn == nil:
		c.torn, c.tornWhy = &size, err
		return true
	case err != nil:
		return c.fail(c.number-1, c.tornWhy)
	}
	if c.torn != nil && (entry.Action != ActionTorn || entry.Detail != c.torn.describe()) {
		return c.fail(c.number-1, c.tornWhy)
	}
	if c.torn == nil && entry.Action == ActionTorn {
		return c.fail(c.number, errors.New("the torn line that it notes is not there"))
	}
	if err := follows(c.last, entry); err != nil {
		return c.fail(c.number, err)
	}
	if c.torn != nil && c.noted == 0 {
		c.noted = c.number - 1
	}
	c.last, c.torn = entry, nil
	return true
}

func (c *checker) fail(line int64, why error) bool {
	c.problem = fmt.Sprintf("line %d: %v", line, why)
	return false
}

func (c *checker) report() proto.AuditReport {
	if c.problem == "" && c.torn != nil {
		c.problem = fmt.Sprintf("line %d, the last: %v; a power loss or a full disk may have cut it off, and the next entry will note it", c.number, c.tornWhy)
	}
	report := proto.AuditReport{Entries: c.last.Seq, Head: c.last.Hash, OK: c.problem == "", Problem: proto.HostText(c.problem)}
	if report.OK && c.noted > 0 {
		report.Problem = proto.Textf("line %d was cut off by a power loss or a full disk; the entry after it notes so, and the chain holds", c.noted)
	}
	return report
}

// readLine is the next line without its newline, at most maxLine bytes of it, with the size and
// hash of all of it. whole says that a newline ended it; no size and not whole is the end.
func readLine(r *bufio.Reader) (line []byte, all scrap, whole bool, err error) {
	sum := sha256.New()
	for {
		var part []byte
		part, err = r.ReadSlice('\n')
		if err == nil {
			part, whole = part[:len(part)-1], true
		}
		sum.Write(part)
		all.size += int64(len(part))
		if len(line)+len(part) <= maxLine+1 {
			line = append(line, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			all.sum = [sha256.Size]byte(sum.Sum(nil))
			return line, all, whole, err
		}
	}
}
