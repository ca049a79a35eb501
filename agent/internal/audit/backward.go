package audit

import (
	"bytes"
	"crypto/sha256"
	"io"
	"os"

	"github.com/re-connect/rpctl/proto"
)

// block is how much of the file is read at a time, from its end, in bytes.
const block = 16 << 10

// backward reads the lines of a file from its end, holding little more than maxLine bytes.
type backward struct {
	file io.ReaderAt
	off  int64  // where held begins in the file
	held []byte // read and not yet given out
	done bool
}

func newBackward(file io.ReaderAt, size int64) *backward { return &backward{file: file, off: size} }

// next is the line before the last one given, without its newline, and where it
// begins; io.EOF when there is none. The first is what follows the file's last
// newline: empty unless the file is torn. A line longer than maxLine comes as nil.
func (b *backward) next() (line []byte, start int64, err error) {
	if b.done {
		return nil, 0, io.EOF
	}
	tooLong := false
	for {
		if i := bytes.LastIndexByte(b.held, '\n'); i >= 0 {
			line, start = b.held[i+1:], b.off+int64(i)+1
			b.held = b.held[:i]
			break
		}
		if len(b.held) > maxLine {
			tooLong, b.held = true, nil
		}
		if b.off == 0 {
			line, start, b.done = b.held, 0, true
			break
		}
		if err := b.fill(); err != nil {
			return nil, 0, err
		}
	}
	if tooLong || len(line) > maxLine {
		line = nil
	} else if line == nil {
		line = []byte{}
	}
	return line, start, nil
}

// fill puts the block before what is held in front of it.
func (b *backward) fill() error {
	size := min(int64(block), b.off)
	part := make([]byte, size, size+int64(len(b.held)))
	if _, err := b.file.ReadAt(part, b.off-size); err != nil && err != io.EOF {
		return storage("read the audit file", err)
	}
	b.off -= size
	b.held = append(part, b.held...)
	return nil
}

// ending is what a new entry goes on from.
type ending struct {
	size int64            // of the file
	last proto.AuditEntry // zero in a new file
	torn scrap            // what follows the last newline and is no entry
	open bool             // the last entry is whole but for its newline
	// noted says that the last entry is the note of the torn line before it, and ends in a
	// blank that is to become its newline.
	noted bool
}

// readEnd reads the last entry and what may be torn after it. It refuses to go on
// after a line that is no entry: something other than this package wrote it, and
// a chain that went on would bury that.
func readEnd(file *os.File) (ending, error) {
	info, err := file.Stat()
	if err != nil {
		return ending{}, storage("read the audit file", err)
	}
	end := ending{size: info.Size()}
	lines := newBackward(file, end.size)
	tail, start, err := lines.next()
	if err != nil {
		return end, err
	}
	if end.torn, err = measure(io.NewSectionReader(file, start, end.size-start)); err != nil {
		return end, err
	}
	line, before, err := lines.next()
	if err != nil && err != io.EOF {
		return end, err
	}
	if err == nil {
		var foreign error
		if end.last, foreign = decode(line); foreign != nil {
			torn, err := measure(io.NewSectionReader(file, before, start-1-before))
			if err != nil {
				return end, err
			}
			note, noted, err := readNote(tail, torn, lines)
			if err == nil && !noted {
				err = refuse(foreign)
			}
			return ending{size: end.size, last: note, noted: noted}, err
		}
	}
	// Cut off just before its newline, an entry says all that it should: it counts, and is no torn line.
	if entry, err := decode(tail); err == nil && follows(end.last, entry) == nil {
		end.last, end.torn, end.open = entry, scrap{}, true
	}
	return end, nil
}

func refuse(why error) *proto.Error {
	return &proto.Error{
		Code:    proto.CodeStorage,
		Message: proto.Textf("cannot write the audit file: its last line was not written by rp-agent (%v); once it is understood and kept, a new chain begins where root has moved /var/lib/rp-agent/%s away", why, fileName),
		Advice:  proto.Advice{Code: proto.AdviceAuditVerify},
	}
}

func measure(r io.Reader) (scrap, error) {
	sum := sha256.New()
	size, err := io.Copy(sum, r)
	if err != nil {
		return scrap{}, storage("read the audit file", err)
	}
	return scrap{size: size, sum: [sha256.Size]byte(sum.Sum(nil))}, nil
}
