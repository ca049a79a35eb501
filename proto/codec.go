package proto

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
)

// MaxLine is the longest line on the wire, in bytes, newline included.
const MaxLine = 1 << 20

// ErrLineTooLong says that the peer sent more than MaxLine bytes without a newline.
var ErrLineTooLong = fmt.Errorf("a line is longer than %d bytes", MaxLine)

// ErrTruncated says that the stream ended in the middle of a line.
var ErrTruncated = errors.New("the stream ended in the middle of a line")

// Reader reads lines from a peer that is not trusted: it never holds more than MaxLine bytes.
type Reader struct{ buffered *bufio.Reader }

// NewReader reads lines from r.
func NewReader(r io.Reader) *Reader { return &Reader{bufio.NewReaderSize(r, 4096)} }

// ReadLine returns the next line without its newline. At the end of the stream
// it returns io.EOF, or ErrTruncated with what had come of a last line.
func (r *Reader) ReadLine() ([]byte, error) {
	var line []byte
	for {
		part, err := r.buffered.ReadSlice('\n')
		if len(line)+len(part) > MaxLine {
			return nil, ErrLineTooLong
		}
		line = append(line, part...)
		switch {
		case err == nil:
			return bytes.TrimRight(line, "\r\n"), nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(line) > 0:
			return line, ErrTruncated
		default:
			return nil, err
		}
	}
}

// ReadRaw returns the n bytes that an output event announced, and eats the newline after them. They are
// in room where they fit there, newline included.
func (r *Reader) ReadRaw(n int, room []byte) ([]byte, error) {
	if n < 0 || n > MaxOutput {
		return nil, fmt.Errorf("an output of %d bytes is announced; at most %d fit", n, MaxOutput)
	}
	raw := slices.Grow(room[:0], n+1)[:n+1]
	if _, err := io.ReadFull(r.buffered, raw); err != nil {
		return nil, ErrTruncated
	}
	if raw[n] != '\n' {
		return nil, errors.New("an output is not followed by a newline")
	}
	return raw[:n], nil
}

// MaxAnswerValues is how many values (Values) a line of the agent's may have: twenty jobs of a hundred
// steps have half as many.
const MaxAnswerValues = 64 << 10

// Values counts the values of a JSON text, roughly and fast: commas and brackets that stand in no
// string. Empty ones are a hundred times as large in memory as on the wire, so both sides bound them.
func Values(text []byte) int {
	n, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\':
			i++ // what is escaped ends no string
		case !quoted && (c == ',' || c == '{' || c == '['):
			n++
		}
	}
	return n
}

// Writer writes one value a line; it may be used by several goroutines.
type Writer struct {
	mu  sync.Mutex
	out io.Writer
}

// NewWriter writes lines to w, each in one Write; to a socket an output too, to others in three.
func NewWriter(w io.Writer) *Writer { return &Writer{out: w} }

// Write sends v as one line. It refuses a line that the peer would refuse.
func (w *Writer) Write(v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("cannot encode a line: %w", err)
	}
	if len(line)+1 > MaxLine {
		return ErrLineTooLong
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err = w.out.Write(append(line, '\n'))
	return err
}

// WriteOutput sends an output event of request id with its raw bytes, which are not copied.
func (w *Writer) WriteOutput(id int64, stream string, offset int64, raw []byte) error {
	if len(raw) > MaxOutput {
		return fmt.Errorf("an output of %d bytes is too long; at most %d fit", len(raw), MaxOutput)
	}
	event := Event{Event: EventOutput, ID: id, Output: &Output{Stream: stream, Offset: offset, Length: len(raw)}}
	line, err := json.Marshal(event)
	if err != nil {
		return fmt.Errorf("cannot encode an output: %w", err)
	}
	message := net.Buffers{append(line, '\n'), raw, newline}
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err = message.WriteTo(w.out)
	return err
}

var newline = []byte{'\n'}

// DecodeStrict decodes exactly one JSON value and refuses fields that v does not have.
func DecodeStrict(data []byte, v any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(v); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one value on the line")
	}
	return nil
}
