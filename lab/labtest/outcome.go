package labtest

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/proto"
)

// Event is one line of --json: what docs/json.md promises, read as a stranger would.
type Event struct {
	Event   string              `json:"event"`
	Step    string              `json:"step"`
	State   string              `json:"state"`
	Host    string              `json:"host"`
	Text    string              `json:"text"`
	Unit    *proto.UnitProgress `json:"unit"`
	Verdict *proto.UnitVerdict  `json:"verdict"`
	Status  *proto.Status       `json:"status"`
	Audit   *proto.AuditEntry   `json:"audit"`
	Check   *proto.Check        `json:"check"`
	Setup   *proto.SetupReport  `json:"setup"`
	Pin     *struct {
		Name             string
		Changes, Written bool
	} `json:"pin"`
	Log     *proto.LogLine       `json:"log"`
	Plan    []proto.PatternUnits `json:"plan"`
	Error   *Failure             `json:"error"`
	Summary *Summary             `json:"summary"`

	// Of plans and jobs.
	Path       string            `json:"path"`
	Stream     string            `json:"stream"`
	Offset     int64             `json:"offset"`
	Data       []byte            `json:"data"`
	Job        *proto.Job        `json:"job"`
	JobStep    *proto.JobStep    `json:"job_step"`
	Simulation *proto.Simulation `json:"simulation"`
	Applied    *proto.Applied    `json:"applied"`
	PlanStatus *proto.PlanStatus `json:"plan_status"`
}

// Failure is why rpctl could not do what it was asked.
type Failure struct {
	Code, Message, Next string
	Exit                int
	Holder              *proto.Holder
}

// Summary is how an operation on workers went.
type Summary struct {
	Result string
	Exit   int
	Steps  []struct{ Step, Result string }
	Hosts  []struct {
		Host, Code  string
		Before      string `json:"release_before"`
		After       string `json:"release_after"`
		Units, Good int
	}
}

// Outcome is how one rpctl ended.
type Outcome struct {
	Exit   int
	Events []Event
	Stderr string
}

// Of is the events of one kind.
func (o Outcome) Of(kind string) []Event {
	return slices.DeleteFunc(slices.Clone(o.Events), func(e Event) bool { return e.Event != kind })
}

// Last is the last event of one kind.
func (o Outcome) Last(t testing.TB, kind string) Event {
	t.Helper()
	all := o.Of(kind)
	if len(all) == 0 {
		t.Fatalf("no %s event:\n%s", kind, o.Describe())
	}
	return all[len(all)-1]
}

// Failure is the last event, which must be an error of this code that says all of these words.
func (o Outcome) Failure(t testing.TB, code string, words ...string) *Failure {
	t.Helper()
	if len(o.Events) == 0 || o.Events[len(o.Events)-1].Error == nil {
		t.Fatalf("the last event is no error:\n%s", o.Describe())
	}
	last := o.Events[len(o.Events)-1].Error
	if last.Code != code {
		t.Errorf("error code %q, want %q: %s", last.Code, code, last.Message)
	}
	said := last.Message + "\n" + ourFlags.ReplaceAllString(last.Next, "rpctl ")
	for _, word := range words {
		if !strings.Contains(said, word) {
			t.Errorf("the error does not say %q:\n%s", word, said)
		}
	}
	return last
}

// ourFlags is what rpctl repeats in a command to type next, since Developer typed it.
var ourFlags = regexp.MustCompile(`rpctl (--(json|hosts|ssh-config)( /\S+)? )+`)

// Stdout is what a job's console printed there, put together by offset.
func (o Outcome) Stdout(t testing.TB) string {
	t.Helper()
	var all []byte
	for _, e := range o.Of("console") {
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

// Describe is what was told, for a test that failed: without what local commands printed, what
// consoles printed and units that only settle, which is most of it and explains least.
func (o Outcome) Describe() string {
	var all strings.Builder
	for _, e := range o.Events {
		if e.Event == "output" || e.Unit != nil && e.Unit.Phase == proto.PhaseSettling {
			continue
		}
		all.Write(append(compact(e), '\n'))
	}
	return all.String() + o.Stderr
}

// compact is an event as JSON without the fields that are not set, and without a console's bytes.
func compact(e Event) []byte {
	line, _ := json.Marshal(e)
	var fields map[string]any
	if json.Unmarshal(line, &fields) != nil {
		return line
	}
	for name, value := range fields {
		if value == nil || value == "" || name == "offset" || name == "data" {
			delete(fields, name)
		}
	}
	short, _ := json.Marshal(fields)
	return short
}
