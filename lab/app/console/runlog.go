package console

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// runLog has a line for each start of the command, dry runs too, with what it got as argv.
func (a application) runLog() string { return a.shared("var/migration-runs.log") }

func (a application) beginRun(dryRun bool, args []string) (string, error) {
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails
	run := Run{hex.EncodeToString(id[:]), dryRun, args, now()}
	line, err := json.Marshal(run)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(a.runLog()), 0o755); err != nil {
		return "", err
	}
	f, err := os.OpenFile(a.runLog(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return "", err
	}
	_, err = f.Write(append(line, '\n')) // one write: lines of two runs do not mix
	return run.Run, errors.Join(err, f.Close())
}

func (a application) runs() ([]Run, error) {
	text, err := os.ReadFile(a.runLog())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	runs := []Run{}
	for line := range bytes.Lines(text) {
		var run Run
		if err := json.Unmarshal(line, &run); err != nil {
			return nil, err
		}
		runs = append(runs, run)
	}
	return runs, nil
}
