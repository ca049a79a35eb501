package audit

import (
	"io"
	"os"

	"github.com/re-connect/rpctl/proto"
)

// blank stands where a newline is due while a note is being written.
const blank = " "

// settle ends a torn line with the note that names it, and returns the ending after it. The power
// may fail here too, so no moment may leave a line that is neither an entry nor noted: the note
// first goes onto the torn line itself, between two blanks, where a cut only makes that line
// longer. Once it is on the disk, the blanks become newlines, each by one byte: first the
// one before it (from here on readNote finds it), then the one after it.
func (l *Log) settle(file *os.File, end ending) (ending, error) {
	if end.torn.size > 0 {
		note := seal(end.last, proto.AuditEntry{Action: ActionTorn, User: "rp-agent", Time: l.now(), Detail: end.torn.describe()})
		text := blank + string(mustJSON(note)) + blank
		if err := l.write(file, end.size, []byte(text)); err != nil {
			return end, err
		}
		if err := l.endLine(end.size); err != nil {
			return end, err
		}
		end = ending{size: end.size + int64(len(text)), last: note, noted: true}
	}
	if end.noted {
		if err := l.endLine(end.size - 1); err != nil {
			return end, err
		}
		end.noted = false
		l.copied(end.last)
	}
	return end, nil
}

// endLine makes the blank at offset at a newline, and waits until that is on the disk. Otherwise it is a blank again, as
// there.
func (l *Log) endLine(at int64) error {
	file, err := l.open(l.path(), os.O_WRONLY) // one that is open for appending cannot do this
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.WriteAt([]byte{'\n'}, at); err != nil {
		return err
	}
	if err := l.sync(file); err != nil {
		_, _ = file.WriteAt([]byte(blank), at)
		return err
	}
	return nil
}

// noteIn is the note in a last line that only lacks its second newline.
func noteIn(tail []byte) (proto.AuditEntry, bool) {
	if len(tail) == 0 || tail[len(tail)-1] != blank[0] {
		return proto.AuditEntry{}, false
	}
	note, err := decode(tail[:len(tail)-1])
	return note, err == nil && note.Action == ActionTorn
}

// readNote is the note in tail, if it names the line before it, which is torn, and
// follows the entry before that one.
func readNote(tail []byte, torn scrap, lines *backward) (proto.AuditEntry, bool, error) {
	note, ok := noteIn(tail)
	if !ok || note.Detail != torn.describe() {
		return note, false, nil
	}
	var last proto.AuditEntry
	line, _, err := lines.next()
	switch {
	case err == io.EOF:
	case err != nil:
		return note, false, err
	default:
		if last, err = decode(line); err != nil {
			return note, false, nil
		}
	}
	return note, follows(last, note) == nil, nil
}
