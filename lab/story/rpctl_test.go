package story

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
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
	Event   string               `json:"event"`
	Step    string               `json:"step"`
	State   string               `json:"state"`
	Host    string               `json:"host"`
	Text    string               `json:"text"`
	Unit    *proto.UnitProgress  `json:"unit"`
	Verdict *proto.UnitVerdict   `json:"verdict"`
	Status  *proto.Status        `json:"status"`
	Audit   *proto.AuditEntry    `json:"audit"`
	Check   *proto.Check         `json:"check"`
	Setup   *proto.SetupReport   `json:"setup"`
	Log     *proto.LogLine       `json:"log"`
	Plan    []proto.PatternUnits `json:"plan"`
	Error   *struct {
		Code, Message, Next string
		Exit                int
		Holder              *proto.Holder
	} `json:"error"`
	Summary *struct {
		Result string
		Exit   int
		Steps  []struct{ Step, Result string }
		Hosts  []struct {
			Host, Code  string
			Before      string `json:"release_before"`
			After       string `json:"release_after"`
			Units, Good int
		}
	} `json:"summary"`
}

// outcome is how one rpctl ended.
type outcome struct {
	exit   int
	events []told
	stderr string
}

// command is an rpctl as the developer types it, in the application's work tree.
func (s *stage) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	common := []string{"--json", "--ssh-config", s.sshConfig, "--hosts", s.inventory}
	cmd := exec.CommandContext(t.Context(), s.bin+"/rpctl", append(common, args...)...)
	cmd.Dir = s.WorkTree()
	cmd.Env = append(os.Environ(), "USER=developer")
	return cmd
}

// rpctl runs rpctl and fails the test unless it ends with this exit code.
func (s *stage) rpctl(t *testing.T, want int, args ...string) outcome {
	t.Helper()
	out := s.start(t, args...).wait(t)
	if out.exit != want {
		t.Fatalf("rpctl %s: exit code %d, want %d\n%s", strings.Join(args, " "), out.exit, want, out.describe())
	}
	return out
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
	r := &running{cmd: s.command(t, args...)}
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
	r.lines.Buffer(nil, 1<<20)
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

// until reads events up to the first that is wanted.
func (r *running) until(t *testing.T, wanted func(told) bool) told {
	t.Helper()
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

// of is the events of one kind.
func (o outcome) of(kind string) []told {
	return slices.DeleteFunc(slices.Clone(o.events), func(e told) bool { return e.Event != kind })
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

// describe is all that was told, for a test that failed.
func (o outcome) describe() string {
	var all strings.Builder
	for _, e := range o.events {
		if e.Event == "output" || e.Unit != nil && e.Unit.Phase == proto.PhaseSettling {
			continue
		}
		line, _ := json.Marshal(e)
		all.Write(compact(line))
	}
	return all.String() + o.stderr
}

// compact leaves out the fields that are not set.
func compact(line []byte) []byte {
	var fields map[string]any
	if json.Unmarshal(line, &fields) != nil {
		return line
	}
	for name, value := range fields {
		if value == nil || value == "" {
			delete(fields, name)
		}
	}
	short, _ := json.Marshal(fields)
	return append(short, '\n')
}
