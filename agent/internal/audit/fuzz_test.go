package audit

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"

	"github.com/re-connect/rpctl/proto"
)

// FuzzBackward holds the reader from the end against a plain split.
func FuzzBackward(f *testing.F) {
	f.Add([]byte(""))
	f.Add([]byte("\n"))
	f.Add([]byte("a\n\nb"))
	f.Add(bytes.Repeat([]byte("0123456789abcde\n"), 3*block/16))
	f.Add(append(bytes.Repeat([]byte("x"), maxLine+1), "\nshort\n"...))
	f.Fuzz(func(t *testing.T, data []byte) {
		want := bytes.Split(data, []byte("\n"))
		lines := newBackward(bytes.NewReader(data), int64(len(data)))
		for i := len(want) - 1; i >= 0; i-- {
			line, start, err := lines.next()
			if err != nil {
				t.Fatalf("line %d: %v", i, err)
			}
			if len(want[i]) > maxLine {
				if line != nil {
					t.Fatalf("line %d of %d bytes was given", i, len(want[i]))
				}
			} else if !bytes.Equal(line, want[i]) || line == nil {
				t.Fatalf("line %d = %q, want %q", i, line, want[i])
			}
			if rest := data[start:]; !bytes.HasPrefix(rest, want[i]) {
				t.Fatalf("line %d does not begin at %d", i, start)
			}
		}
		if _, _, err := lines.next(); !errors.Is(err, io.EOF) {
			t.Fatalf("after the first line: %v", err)
		}
	})
}

// FuzzFile gives every reader any file at all. An Append that is taken must leave a
// chain that holds exactly if it held, or was only torn, before.
func FuzzFile(f *testing.F) {
	good := testLog(f)
	add(f, good, entry(ActionLease))
	add(f, good, entry(ActionLeaseEnd))
	data, err := os.ReadFile(good.path())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(data[:len(data)-7])
	f.Add(append(data, "\n\n"...))
	f.Add([]byte("{}\n"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		log := testLog(t)
		log.sync = func(*os.File) error { return nil } // a disk is slow, and not what is tried here
		replace(t, log, string(data))
		before := verify(t, log)
		if _, err := log.Last(3); err != nil {
			t.Fatal(err)
		}
		if _, err := log.LastDeploy(&proto.Holder{}); err != nil {
			t.Fatal(err)
		}
		written, err := log.Append(entry(ActionLease))
		if err != nil {
			return
		}
		after := verify(t, log)
		if before.OK && (!after.OK || after.Head != written.Hash) {
			t.Fatalf("before %+v, after %+v", before, after)
		}
		if last, err := log.Last(1); err != nil || len(last) != 1 || last[0] != written {
			t.Fatalf("Last = %+v, %v; want %+v", last, err, written)
		}
	})
}
