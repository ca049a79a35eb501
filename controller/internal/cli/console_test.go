package cli

import (
	"errors"
	"io"
	"syscall"
	"testing"

	"github.com/re-connect/rpctl/proto"
)

type fullDisk struct{ writes int }

func (f *fullDisk) Write([]byte) (int, error) { f.writes++; return 0, syscall.ENOSPC }

// TestLostOutputEndsNoApply: only where the output was all that was asked for does its loss end the following.
func TestLostOutputEndsNoApply(t *testing.T) {
	for _, acts := range []bool{true, false} {
		disk := &fullDisk{}
		a := &app{System: System{Stdout: disk, Stderr: io.Discard}, raw: true, acts: acts}
		console := a.console()
		for range 2 {
			if err := console.Print(proto.Stdout, 0, []byte("x")); errors.Is(err, syscall.ENOSPC) == acts {
				t.Errorf("acts %v: %v", acts, err)
			}
		}
		if acts && disk.writes != 1 {
			t.Errorf("written %d times after it failed", disk.writes)
		}
	}
}

// TestReaderThatLeftEndsOnlyAFollow: who simulates or applies follows the job on, who only looks at one does not.
func TestReaderThatLeftEndsOnlyAFollow(t *testing.T) {
	for _, stays := range []bool{true, false} {
		read, write := io.Pipe()
		_ = read.Close()
		a := &app{System: System{Stdout: write, Stderr: io.Discard}, raw: true}
		if stays {
			a.changes(false)
		}
		if err := a.console().Print(proto.Stdout, 0, []byte("x")); (err == nil) != stays {
			t.Errorf("stays %v: %v", stays, err)
		}
	}
}
