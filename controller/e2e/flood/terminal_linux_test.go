package flood

import (
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/re-connect/rpctl/lab/sshhost"
	"github.com/re-connect/rpctl/proto"
)

// asked are the operations whose answers are shown, and their types.
var asked = map[proto.Op]any{
	proto.OpStatus: &proto.Status{}, proto.OpHistory: &proto.History{}, proto.OpDoctor: &proto.DoctorReport{}, proto.OpJobs: &proto.JobList{},
	proto.OpJournal: &struct{}{}, proto.OpJobFollow: &proto.Job{}, proto.OpRelease: &proto.Release{}, proto.OpUnits: &proto.UnitList{},
	proto.OpAuditVerify: &proto.AuditReport{}, proto.OpPlanStatus: &proto.PlanStatus{},
	proto.OpLease: &proto.Lease{}, proto.OpRestart: &proto.RestartResult{}, proto.OpVerify: &proto.VerifyResult{}, proto.OpRecord: &struct{}{},
	proto.OpJobStart: &proto.Job{}, proto.OpJobCancel: &proto.Job{}, proto.OpApprove: &proto.PlanStatus{},
}

// evil is every byte, every C1 control, what reorders and hides text, and sequences that terminals obey.
func evil() string {
	var b strings.Builder
	for r := rune(0); r < 0x100; r++ {
		b.WriteRune(r)
	}
	b.WriteString("\u202e\u202d\u2066\u2067\u2068\u2069\u200b\u200e\u200f\ufeff\u2028\u2029")
	b.WriteString("\x1b]8;;http://evil.invalid\x1b\\link\x1b]8;;\x1b\\ \x1b]0;title\a \x1b[2J \x1bP+q\x1b\\ \u009b31m \u009d0;x\u009c")
	return b.String()
}

// fill puts text into every string of a value, and one element into every list.
func fill(v reflect.Value, text string, depth int) {
	switch {
	case depth > 8:
	case v.Type() == reflect.TypeFor[json.RawMessage]():
		v.SetBytes([]byte("{}"))
	case v.Type().PkgPath() == "time":
	default:
		fillKind(v, text, depth)
	}
}

func fillKind(v reflect.Value, text string, depth int) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), text, depth+1)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i), text, depth+1)
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() != reflect.Uint8 {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			fill(v.Index(0), text, depth+1)
		}
	}
}

// filled is a value's JSON with evil text everywhere, and bytes that are no UTF-8 beside it.
func filled(t *testing.T, v any) string {
	t.Helper()
	fill(reflect.ValueOf(v).Elem(), evil(), 0)
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for b := 0x80; b < 0x100; b++ {
		all.WriteByte(byte(b))
	}
	return strings.ReplaceAll(string(text), `\u001b]0;title`, all.String()+`\u001b]0;title`)
}

// TestTerminal: no host puts a control sequence on rpctl's terminal, whatever field it stands in.
func TestTerminal(t *testing.T) {
	program := build(t)
	answers := map[proto.Op]string{}
	for op, v := range asked {
		answers[op] = filled(t, v)
	}
	log, failure := filled(t, &proto.LogLine{}), filled(t, &proto.Error{})
	all := greets(func(id int64, op proto.Op, w, stderr io.Writer) {
		_, _ = io.WriteString(stderr, evil()+"\n")
		if op == proto.OpJournal {
			fmt.Fprintf(w, `{"event":"log","id":%d,"log":%s}`+"\n", id, log)
		}
		fmt.Fprintf(w, `{"event":"done","id":%d,"result":%s}`+"\n", id, answers[op])
	})
	refuses := greets(func(id int64, _ proto.Op, w, _ io.Writer) {
		fmt.Fprintf(w, `{"event":"error","id":%d,"error":%s}`+"\n", id, failure)
	})
	noise := raw(func(w io.Writer) { _, _ = io.WriteString(w, evil()+"\n"+evil()) })
	for _, verb := range [][]string{
		{"status", "--env", "preprod"}, {"history", "--env", "preprod"}, {"doctor", "--env", "preprod"}, {"jobs", "--env", "preprod"},
		{"logs", "--env", "preprod"}, {"attach", "abcdefgh", "--env", "preprod"}, {"cancel", "abcdefgh", "--env", "preprod"}, {"restart", "--env", "preprod", "--yes"},
		{"restart", "--env", "preprod", "--dry-run"},
	} {
		for name, host := range map[string]sshhost.Handler{"answers": all, "refuses": refuses, "does not greet": noise} {
			t.Run(strings.Join(verb[:1], " ")+" "+name, func(t *testing.T) {
				for _, extra := range [][]string{nil, {"--json"}} {
					got := run(t, program, host, append(append([]string{}, verb...), extra...)...)
					if len(got.output) == 0 {
						t.Errorf("nothing was shown, exit code %d", got.exit)
					}
					clean(t, got.output)
				}
			})
		}
	}
}

// clean fails the test for what a terminal would obey.
func clean(t *testing.T, output []byte) {
	t.Helper()
	for at := 0; at < len(output); {
		r, size := utf8.DecodeRune(output[at:])
		harmless := r == '\n' || r == '\u200c' || r == '\u200d' || !unicode.Is(unicode.Cc, r) && !unicode.Is(unicode.Cf, r) && r != '\u2028' && r != '\u2029'
		if !harmless || r == utf8.RuneError && size == 1 {
			t.Fatalf("%q got through: %q", output[at:at+size], output[max(0, at-100):min(len(output), at+20)])
		}
		at += size
	}
}
