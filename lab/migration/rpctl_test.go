package migration

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/re-connect/rpctl/proto"
)

// told is one line of --json: what docs/json.md promises, read as a stranger would.
type told struct {
	Event      string             `json:"event"`
	Text       string             `json:"text"`
	Path       string             `json:"path"`
	Host       string             `json:"host"`
	Stream     string             `json:"stream"`
	Offset     int64              `json:"offset"`
	Data       []byte             `json:"data"`
	Job        *proto.Job         `json:"job"`
	JobStep    *proto.JobStep     `json:"job_step"`
	Simulation *proto.Simulation  `json:"simulation"`
	Applied    *proto.Applied     `json:"applied"`
	PlanStatus *proto.PlanStatus  `json:"plan_status"`
	Audit      *proto.AuditEntry  `json:"audit"`
	Check      *proto.Check       `json:"check"`
	Setup      *proto.SetupReport `json:"setup"`
	Error      *struct {
		Code, Message, Next string
		Holder              *proto.Holder
	} `json:"error"`
}

// outcome is how one rpctl ended.
type outcome struct {
	exit   int
	events []told
	stderr string
}

// rpctl runs rpctl as the developer types it and fails the test unless it ends with this exit code.
func (s *stage) rpctl(t *testing.T, want int, args ...string) outcome {
	t.Helper()
	return s.start(t, args...).ends(t, want)
}

// running is an rpctl whose events are read as they come.
type running struct {
	cmd    *exec.Cmd
	lines  *bufio.Scanner
	stderr bytes.Buffer
	seen   []told
}

func (s *stage) start(t *testing.T, args ...string) *running {
	t.Helper()
	common := []string{"--json", "--ssh-config", s.SSHConfig(), "--hosts", s.HostsTOML()}
	// No rpctl of these tests takes long: one that hangs is shown with what it has said.
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	t.Cleanup(cancel)
	r := &running{cmd: exec.CommandContext(ctx, s.bin+"/rpctl", append(common, args...)...)}
	r.cmd.Dir = s.WorkTree()
	r.cmd.Env = append(r.cmd.Environ(), "USER=developer")
	stdout, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	r.cmd.Stderr = &r.stderr
	r.cmd.WaitDelay = 5 * time.Second
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r.lines = bufio.NewScanner(stdout)
	r.lines.Buffer(nil, 4<<20)
	return r
}

// next is the next event; io.EOF when rpctl says no more.
func (r *running) next(t *testing.T) (told, error) {
	t.Helper()
	if !r.lines.Scan() {
		return told{}, errors.Join(r.lines.Err(), io.EOF)
	}
	var one told
	if err := json.Unmarshal(r.lines.Bytes(), &one); err != nil {
		t.Fatalf("not one JSON object a line: %v: %s", err, r.lines.Text())
	}
	r.seen = append(r.seen, one)
	return one, nil
}

// until is the first event that is wanted, of those that were read or are still to come.
func (r *running) until(t *testing.T, wanted func(told) bool) told {
	t.Helper()
	if at := slices.IndexFunc(r.seen, wanted); at >= 0 {
		return r.seen[at]
	}
	for {
		one, err := r.next(t)
		if err != nil {
			t.Fatalf("rpctl ended before it said what was waited for:\n%s", r.wait(t).describe())
		}
		if wanted(one) {
			return one
		}
	}
}

// job is the id of the job that was started or attached to.
func (r *running) job(t *testing.T) string {
	t.Helper()
	return string(r.until(t, func(e told) bool { return e.Event == "job" }).Job.ID)
}

func (r *running) wait(t *testing.T) outcome {
	t.Helper()
	for {
		if _, err := r.next(t); err != nil {
			break
		}
	}
	err := r.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return outcome{exit: r.cmd.ProcessState.ExitCode(), events: r.seen, stderr: r.stderr.String()}
}

// ends waits for the end, and fails the test unless it has this exit code.
func (r *running) ends(t *testing.T, want int) outcome {
	t.Helper()
	out := r.wait(t)
	if out.exit != want {
		t.Fatalf("rpctl %s: exit code %d, want %d\n%s", strings.Join(r.cmd.Args[6:], " "), out.exit, want, out.describe())
	}
	return out
}

// of is the events of one kind.
func (o outcome) of(kind string) []told {
	return slices.DeleteFunc(slices.Clone(o.events), func(e told) bool { return e.Event != kind })
}

// last is the last event of one kind.
func (o outcome) last(t *testing.T, kind string) told {
	t.Helper()
	all := o.of(kind)
	if len(all) == 0 {
		t.Fatalf("no %s event:\n%s", kind, o.describe())
	}
	return all[len(all)-1]
}

// failure is the last event, which must be an error of this code that says all of these words.
func (o outcome) failure(t *testing.T, code string, words ...string) {
	t.Helper()
	if len(o.events) == 0 || o.events[len(o.events)-1].Error == nil {
		t.Fatalf("the last event is no error:\n%s", o.describe())
	}
	last := o.events[len(o.events)-1].Error
	if last.Code != code {
		t.Errorf("error code %q, want %q: %s", last.Code, code, last.Message)
	}
	said := last.Message + "\n" + ourFlags.ReplaceAllString(last.Next, "rpctl ")
	for _, word := range words {
		if !strings.Contains(said, word) {
			t.Errorf("the error does not say %q:\n%s", word, said)
		}
	}
}

// ourFlags is what rpctl repeats in a command to type next, since this test typed it.
var ourFlags = regexp.MustCompile(`rpctl (--(json|hosts|ssh-config)( /\S+)? )+`)

// stdout is what the console printed there, put together by offset.
func (o outcome) stdout(t *testing.T) string {
	t.Helper()
	var all []byte
	for _, e := range o.of("console") {
		if e.Stream != proto.Stdout {
			continue
		}
		if e.Offset != int64(len(all)) {
			t.Errorf("bytes of stdout at %d come after %d bytes", e.Offset, len(all))
		}
		all = append(all, e.Data...)
	}
	return string(all)
}

// describe is all that was told, for a test that failed.
func (o outcome) describe() string {
	var all strings.Builder
	for _, e := range o.events {
		var fields map[string]any
		line, _ := json.Marshal(e)
		_ = json.Unmarshal(line, &fields) // it was just made
		for name, value := range fields {
			if value == nil || value == "" || name == "offset" || name == "data" {
				delete(fields, name)
			}
		}
		line, _ = json.Marshal(fields)
		all.Write(append(line, '\n'))
	}
	return all.String() + o.stderr
}
