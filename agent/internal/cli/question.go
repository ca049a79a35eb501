package cli

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"time"

	"github.com/re-connect/rpctl/agent/internal/ask"
	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/proto"
)

// patience bounds a question of a person: a doctor on a sick host takes its time.
const patience = 2 * time.Minute

// question asks the agent of this host for one operation.
func (s System) question(ctx context.Context, op proto.Op, args, result any) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := s.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return ask.Do(ctx, conn, op, args, result)
}

// writeJSON writes one object on one line, for programs, but safe for the terminal of who only looks.
func writeJSON(w io.Writer, v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = w.Write(printable.JSON(append(line, '\n')))
	return err
}

// color says whether standard output is a terminal whose user did not ask for plain text (no-color.org).
func (s System) color() bool {
	file, ok := s.Stdout.(*os.File)
	if !ok || s.Getenv("NO_COLOR") != "" || s.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
