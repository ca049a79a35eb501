package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/re-connect/rpctl/proto"
)

// nativeSocket is where journald takes entries in its own form (systemd.io/JOURNAL_NATIVE_PROTOCOL).
const nativeSocket = "/run/systemd/journal/socket"

// notice is the least important priority that LogLevelMax= of rp-agent@.service lets through.
const notice = 5

// sendTime bounds the wait for a journald whose queue is full.
const sendTime = 2 * time.Second

// Record writes one line to the journal under an identifier. journald adds whose process wrote it (_UID), which the writer
// cannot choose, and nobody but root can take the entry out again.
func Record(identifier string, line []byte) error { return record(nativeSocket, identifier, line) }

func record(socket, identifier string, line []byte) error {
	if bytes.IndexByte(line, '\n') >= 0 {
		return errors.New("cannot write to the journal: it is more than one line")
	}
	conn, err := net.Dial("unixgram", socket)
	if err != nil {
		return fmt.Errorf("cannot write to the journal: %w", err)
	}
	defer conn.Close()
	if err := conn.SetWriteDeadline(time.Now().Add(sendTime)); err != nil {
		return fmt.Errorf("cannot write to the journal: %w", err)
	}
	if _, err := fmt.Fprintf(conn, "SYSLOG_IDENTIFIER=%s\nPRIORITY=%d\nMESSAGE=%s\n", identifier, notice, line); err != nil {
		return fmt.Errorf("cannot write to the journal: %w", err)
	}
	return nil
}

// Recorded returns the newest n lines, at most proto.MaxLogLines, that processes of one user wrote with Record, oldest first.
func (j Journalctl) Recorded(ctx context.Context, identifier string, uid int, n int) ([][]byte, error) {
	var complaint limited
	output, err := j.command(ctx, []string{"--output=cat", "--all", "--no-pager", "--lines=" + strconv.Itoa(bounded(n)),
		"SYSLOG_IDENTIFIER=" + identifier, "_UID=" + strconv.Itoa(uid)}, &complaint).Output()
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil && complaint.text() != "":
		return nil, cannot(err, complaint.text())
	}
	var lines [][]byte
	for line := range bytes.Lines(output) {
		if line = bytes.TrimSuffix(line, []byte("\n")); len(line) > 0 && len(line) <= proto.MaxLine {
			lines = append(lines, line)
		}
	}
	return lines, nil
}
