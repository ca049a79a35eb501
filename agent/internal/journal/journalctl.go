package journal

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/re-connect/rpctl/proto"
)

// maxEntry is the longest line that is read of journalctl, in bytes: proto.MaxLogMessage,
// each byte of it written as a number and a comma, and some room.
const maxEntry = 6 * proto.MaxLogMessage

// stopping is how long journalctl may take to end after SIGTERM.
const stopping = 2 * time.Second

// Journalctl reads the journal with journalctl(1), which costs 8 to 20 ms even on
// a big journal. The reader must be in group systemd-journal.
type Journalctl struct {
	// Program is journalctl's path; empty means that PATH tells it.
	Program string
}

// Tail is the last n lines of a unit, oldest first.
func (j Journalctl) Tail(ctx context.Context, unit string, n int) ([]proto.LogLine, error) {
	var lines []proto.LogLine
	err := j.Follow(ctx, []string{unit}, n, false, func(line proto.LogLine) error {
		lines = append(lines, line)
		return nil
	})
	return lines, err
}

// Follow hands the last n lines of the units to emit, oldest first, and, with follow,
// those to come until ctx ends, which is no error then, or emit fails, which is returned.
// emit is called from one goroutine; while it waits, nothing is read.
func (j Journalctl) Follow(ctx context.Context, units []string, n int, follow bool, emit func(proto.LogLine) error) error {
	if err := checkUnits(units); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var complaint limited
	command := j.command(ctx, arguments(units, n, follow), &complaint)
	output, err := command.StdoutPipe()
	if err != nil {
		return cannot(err, "")
	}
	if err := command.Start(); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return cannot(err, "")
	}
	read := readEntries(output, units, emit)
	if read != nil {
		cancel(read) // nobody reads any more: it must not wait for us
	}
	ended := command.Wait()
	switch {
	case read != nil:
		return read
	case ctx.Err() != nil && follow:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case ended != nil && complaint.text() != "":
		return cannot(ended, complaint.text())
	case follow:
		return cannot(errors.New("it ended by itself"), complaint.text())
	}
	return nil // some versions end with 1 when there is no entry, and say nothing
}

func (j Journalctl) command(ctx context.Context, args []string, complaint io.Writer) *exec.Cmd {
	program := j.Program
	if program == "" {
		program = "journalctl"
	}
	command := exec.CommandContext(ctx, program, args...)
	command.Env = []string{"LC_ALL=C.UTF-8", "PATH=" + os.Getenv("PATH")}
	command.Stderr = complaint
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = stopping
	return command
}

// arguments writes each unit as one word, so that no name passes for an option.
func arguments(units []string, n int, follow bool) []string {
	args := []string{"--output=json", "--output-fields=" + fields, "--all", "--no-pager",
		"--lines=" + strconv.Itoa(bounded(n))}
	if follow {
		// --merge, since --follow alone asks for this boot's number, which the agent's sandbox
		// hides (ProcSubset=pid). The units' names keep to what is asked for.
		args = append(args, "--follow", "--merge")
	}
	for _, unit := range units {
		args = append(args, "--unit="+unit)
	}
	return args
}

// readEntries hands each entry to emit. A line that is no entry becomes a line
// that says so: a broken entry must not hide those after it.
func readEntries(output io.Reader, units []string, emit func(proto.LogLine) error) error {
	reader := bufio.NewReaderSize(output, 32<<10)
	for {
		raw, whole, err := readLine(reader)
		if err != nil {
			return nil // how journalctl ended is told by its exit status
		}
		if len(raw) == 0 || bytes.HasPrefix(raw, []byte("-- ")) { // "-- No entries --"
			continue
		}
		line := proto.LogLine{Time: time.Now().UTC(), Unit: units[0], Priority: 4,
			Message: "(a line of the journal was left out: it is too long)"}
		if whole {
			if line, err = parse(raw, units); err != nil {
				line = proto.LogLine{Time: time.Now().UTC(), Unit: units[0], Priority: 4,
					Message: "(a line of the journal was left out: it cannot be read)"}
			}
		}
		if err := emit(line); err != nil {
			return err
		}
	}
}

// readLine reads to the next newline and keeps at most maxEntry bytes; whole says that
// this was all of it.
func readLine(reader *bufio.Reader) (line []byte, whole bool, err error) {
	whole = true
	for {
		part, err := reader.ReadSlice('\n')
		if len(line)+len(part) > maxEntry {
			whole = false
		} else {
			line = append(line, part...)
		}
		switch {
		case err == nil, errors.Is(err, io.EOF) && len(line) > 0:
			return bytes.TrimSpace(slices.Clip(line)), whole, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, false, err
		}
	}
}

func cannot(err error, complaint string) error {
	detail := err.Error()
	if complaint != "" {
		detail = complaint
	}
	return &proto.Error{
		Code:    proto.CodeHost,
		Message: proto.Textf("cannot read the journal: %s (the agent's user must be in group systemd-journal)", detail),
		Advice:  proto.Advice{Code: proto.AdviceHostDoctor},
	}
}

// limited keeps the beginning of what journalctl complains about.
type limited struct{ kept []byte }

func (l *limited) Write(p []byte) (int, error) {
	l.kept = append(l.kept, p[:min(len(p), 1024-len(l.kept))]...)
	return len(p), nil
}

// text is the complaint on one line, without control characters.
func (l *limited) text() string {
	words := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(string(l.kept), "?"))
	return strings.Join(strings.Fields(words), " ")
}
