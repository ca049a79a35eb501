package console

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/re-connect/rpctl/agent/internal/statefile"
	"github.com/re-connect/rpctl/internal/printable"
)

const endVersion = 1

// maxEnd is more than an end takes, in bytes.
const maxEnd = 16 << 10

// End is how a run ended, in systemd's words (systemd.exec(5), $SERVICE_RESULT):
// Result is success, exit-code, signal, …, Code is exited, killed or dumped, and
// Status an exit status or the name of a signal.
type End struct {
	Result     string    `json:"result"`
	Code       string    `json:"code"`
	Status     string    `json:"status"`
	Invocation string    `json:"invocation"`
	Time       time.Time `json:"time"`
}

// OK says that the command ended by itself with status 0. systemd calls a command
// that was stopped by TERM a success too; here it is none.
func (e End) OK() bool { return e.Result == "success" && e.Code == "exited" && e.Status == "0" }

// StatusNotRun is the exit status of rp-agent console when it refuses a run (sysexits.h, EX_CONFIG). PHP does not use it.
const StatusNotRun = 78

// NotRun says that rp-agent console refused the run before it became PHP. An application may end with the same status:
// a run that printed something to its standard output is not such a refusal.
func (e End) NotRun() bool { return e.Code == "exited" && e.Status == strconv.Itoa(StatusNotRun) }

// Cut says that the command did not end by itself.
func (e End) Cut() bool { return e.Code != "exited" || e.Result == "timeout" || e.Result == "watchdog" }

func (e End) String() string {
	switch {
	case e.Result == "timeout":
		return "it was killed: it ran longer than its unit allows, or went on after it was asked to stop (RuntimeMaxSec= and TimeoutStopSec= of its unit)"
	case e.Status == "XFSZ":
		return "a file that it wrote, its own output or a log of the application, grew past the limit of its unit (LimitFSIZE=)"
	case e.Code == "exited":
		return "it ended with status " + printable.Excerpt(e.Status, 20)
	case e.Code == "":
		return "it could not be started (" + printable.Excerpt(e.Result, 40) + ")"
	default:
		return fmt.Sprintf("it was %s by %s", printable.Excerpt(e.Code, 20), printable.Excerpt(e.Status, 20))
	}
}

// EndFromEnv is what systemd tells an ExecStopPost= command.
func EndFromEnv(getenv func(string) string, now time.Time) End {
	field := func(name string) string { return printable.Excerpt(getenv(name), 64) }
	return End{Result: field("SERVICE_RESULT"), Code: field("EXIT_CODE"), Status: field("EXIT_STATUS"),
		Invocation: field("INVOCATION_ID"), Time: now.UTC()}
}

// WriteEnd records an end, once: a first record is never replaced. Root alone may write the folder, so
// no link in it leads elsewhere.
func (f Folders) WriteEnd(id ID, end End) error {
	if !id.Valid() {
		return fmt.Errorf("%q is no run's id", string(id))
	}
	path := filepath.Join(f.Ends, endName(id))
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s is recorded already", path)
	}
	// Root writes it, rp-agent reads it; the folder keeps everybody else out.
	return statefile.Write(path, endVersion, end, 0o644)
}

// ReadEnd is how a run ended; false while there is no record.
func (f Folders) ReadEnd(id ID) (End, bool, error) {
	file, err := os.Open(filepath.Join(f.Ends, endName(id)))
	if errors.Is(err, fs.ErrNotExist) {
		return End{}, false, nil
	}
	if err != nil {
		return End{}, false, fmt.Errorf("cannot read how run %s ended: %w", id, err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxEnd))
	var end End
	if err == nil {
		end, err = parseEnd(data)
	}
	if err != nil {
		return End{}, false, fmt.Errorf("cannot read how run %s ended: %w", id, err)
	}
	return end, true, nil
}

func parseEnd(data []byte) (End, error) {
	var end End
	err := statefile.Decode(bytes.TrimSpace(data), endVersion, &end)
	return end, err
}

func endName(id ID) string { return string(id) + ".json" }

// Ended is every run whose end is recorded, and when that was.
func (f Folders) Ended() (map[ID]time.Time, error) {
	entries, err := os.ReadDir(f.Ends)
	if err != nil {
		return nil, err
	}
	all := map[ID]time.Time{}
	for _, entry := range entries {
		name, is := strings.CutSuffix(entry.Name(), ".json")
		id := ID(name)
		if !is || !id.Valid() {
			continue
		}
		if info, err := entry.Info(); err == nil { // otherwise it is pruned at this moment
			all[id] = info.ModTime()
		}
	}
	return all, nil
}
