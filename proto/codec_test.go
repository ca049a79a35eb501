package proto

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func TestReaderLines(t *testing.T) {
	for _, c := range []struct {
		name, in string
		lines    []string
		end      error
	}{
		{"two lines", "a\nb\n", []string{"a", "b"}, io.EOF},
		{"empty lines stay", "a\n\nb\n", []string{"a", "", "b"}, io.EOF},
		{"carriage return", "a\r\n", []string{"a"}, io.EOF},
		{"cut in the middle", "a\nb", []string{"a", "b"}, ErrTruncated},
		{"longest line", strings.Repeat("x", MaxLine-1) + "\n", []string{strings.Repeat("x", MaxLine-1)}, io.EOF},
		{"one byte too long", strings.Repeat("x", MaxLine) + "\n", nil, ErrLineTooLong},
		{"endless line", strings.Repeat("x", 2*MaxLine), nil, ErrLineTooLong},
		{"nothing", "", nil, io.EOF},
	} {
		t.Run(c.name, func(t *testing.T) {
			reader := NewReader(iotest.HalfReader(strings.NewReader(c.in)))
			for _, want := range c.lines[:max(0, len(c.lines)-1)] {
				if got, err := reader.ReadLine(); err != nil || string(got) != want {
					t.Fatalf("got %.40q, %v", got, err)
				}
			}
			var err error
			var last []byte
			if len(c.lines) > 0 {
				if last, err = reader.ReadLine(); string(last) != c.lines[len(c.lines)-1] {
					t.Fatalf("last line: %.40q, %v", last, err)
				}
			}
			if err == nil {
				_, err = reader.ReadLine()
			}
			if !errors.Is(err, c.end) {
				t.Errorf("ended with %v, want %v", err, c.end)
			}
		})
	}
}

func TestWriterRefusesWhatThePeerWould(t *testing.T) {
	var out bytes.Buffer
	if err := NewWriter(&out).Write(strings.Repeat("x", MaxLine)); !errors.Is(err, ErrLineTooLong) {
		t.Errorf("wrote %d bytes, %v", out.Len(), err)
	}
	if out.Len() > 0 {
		t.Error("a refused line was written in part")
	}
}

func TestOutputIsByteExact(t *testing.T) {
	var wire bytes.Buffer
	raw := []byte("\x1b[1G 3/41 \xff\r\n{\"event\":\"done\"}\n")
	writer := NewWriter(&wire)
	if err := writer.WriteOutput(7, "stdout", 4096, raw); err != nil {
		t.Fatal(err)
	}
	if err := writer.Write(Event{Event: EventDone, ID: 7}); err != nil {
		t.Fatal(err)
	}
	reader := NewReader(&wire)
	var event Event
	line, err := reader.ReadLine()
	if err != nil || json.Unmarshal(line, &event) != nil || event.Output == nil || event.Output.Offset != 4096 {
		t.Fatalf("%s, %v", line, err)
	}
	if got, err := reader.ReadRaw(event.Output.Length, nil); err != nil || !bytes.Equal(got, raw) {
		t.Errorf("%q, %v", got, err)
	}
	if line, err := reader.ReadLine(); err != nil || string(line) != `{"event":"done","id":7}` {
		t.Errorf("after the output: %s, %v", line, err)
	}
}

// parts notes where what is written stands in memory.
type parts struct{ at []*byte }

func (p *parts) Write(data []byte) (int, error) {
	p.at = append(p.at, &data[0])
	return len(data), nil
}

func TestOutputIsNotCopied(t *testing.T) {
	raw := []byte("12/41")
	var out parts
	if err := NewWriter(&out).WriteOutput(7, Stdout, 0, raw); err != nil || !slices.Contains(out.at, &raw[0]) {
		t.Errorf("%v: the bytes were copied", err)
	}
	room := make([]byte, 1, 100)
	if got, err := NewReader(strings.NewReader("12/41\n")).ReadRaw(5, room); err != nil || string(got) != "12/41" || &got[0] != &room[0] {
		t.Errorf("%q, %v: not in the room that was there", got, err)
	}
}

func TestReadRawRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		in string
		n  int
	}{
		"truncated":      {"abc", 3},
		"no newline":     {"abcd", 3},
		"negative":       {"abc\n", -1},
		"more than fits": {"abc\n", MaxOutput + 1},
	} {
		if got, err := NewReader(strings.NewReader(c.in)).ReadRaw(c.n, nil); err == nil {
			t.Errorf("%s: read %q", name, got)
		}
	}
}

func TestDecodeStrict(t *testing.T) {
	for line, ok := range map[string]bool{
		`{"id":1,"op":"status","protocol":1}`:          true,
		`{"ping":true}`:                                true,
		`{"bridge":{"ssh_connection":"::1 1 ::1 22"}}`: true,
		`{"id":1,"op":"status","force":true}`:          false,
		`{"id":1} {"id":2}`:                            false,
		`{"id":"1"}`:                                   false,
		`[]`:                                           false,
		``:                                             false,
	} {
		var got Line
		if err := DecodeStrict([]byte(line), &got); (err == nil) != ok {
			t.Errorf("%s: %v, want ok=%v", line, err, ok)
		}
	}
}

func TestSpanCommon(t *testing.T) {
	for _, c := range []struct {
		a, b Span
		want int
		ok   bool
	}{
		{Span{1, 1}, Span{1, 1}, 1, true},
		{Span{1, 3}, Span{2, 5}, 3, true},
		{Span{1, 2}, Span{3, 4}, 2, false},
		{Span{0, 0}, Span{0, 0}, 0, false},
	} {
		if got, ok := c.a.Common(c.b); ok != c.ok || ok && got != c.want {
			t.Errorf("%v and %v: %d, %v", c.a, c.b, got, ok)
		}
	}
}

// FuzzReader holds that a line is never longer than MaxLine and that lines put
// together again are the bytes that came, whatever they were.
func FuzzReader(f *testing.F) {
	f.Add([]byte("{\"event\":\"hello\"}\n{}\r\n\n"))
	f.Add([]byte("no end"))
	f.Fuzz(func(t *testing.T, in []byte) {
		reader := NewReader(bytes.NewReader(in))
		total := 0
		for {
			line, err := reader.ReadLine()
			total += len(line)
			if len(line) > MaxLine || total > len(in) || bytes.ContainsRune(line, '\n') {
				t.Fatalf("line of %d bytes from %d", len(line), len(in))
			}
			if err != nil {
				return
			}
		}
	})
}

func TestValues(t *testing.T) {
	for text, want := range map[string]int{
		``: 0, `1`: 0, `{}`: 1, `[1,2,3]`: 3, `{"a":[{},{}],"b":1}`: 6, `"[,{"`: 0, `{"a\",[":1}`: 1, `["\\",1]`: 2,
	} {
		if got := Values([]byte(text)); got != want {
			t.Errorf("%s has %d values, want %d", text, got, want)
		}
	}
}
