package proto

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden lines anew")

// moment keeps the golden lines the same from day to day.
var moment = time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC)

// golden is one line for each thing that crosses the wire: a change here is a
// change of the protocol, and must be one that an older peer survives.
var golden = map[string]any{
	"hello": Hello{
		Event: EventHello, Marker: Marker, Agent: "0.1.0", Protocol: Span{1, 1}, Capabilities: []Op{OpStatus, OpLease},
		Host: "preprod", Environment: "preprod", Config: &HostConfig{
			Environment: "preprod", Application: Application{Path: "/home/app/www", User: "app"},
			Workers: []UnitPattern{"messenger_worker_async@*.service"}, Look: []string{"rpctl"}, Act: []string{"rpctl"},
		},
		Signers: &SignerDigests{Approvers: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		Audit:   &AuditHead{Length: 7, Head: "00"},
	},
	"request": Line{Request: Request{
		ID: 1, Protocol: 1, Op: OpRestart, Environment: "preprod", Operator: "alice@laptop",
		Args: json.RawMessage(`{"only":["messenger_worker_async@*.service"],"batch":2}`),
	}},
	"ping":   Line{Ping: true},
	"bridge": Line{Bridge: &Bridge{SSHConnection: "192.0.2.1 50000 192.0.2.2 22"}},
	"cancel": Line{Cancel: 1},
	"unit": Event{Event: EventUnit, ID: 1, Unit: &UnitProgress{
		Unit: "messenger_worker_async@1.service", Phase: PhaseStopping, ElapsedMS: 2000, TimeoutMS: 30000,
	}},
	"log": Event{Event: EventLog, ID: 1, Log: &LogLine{
		Time: moment, Unit: "messenger_worker_async@1.service", Priority: 6, Message: "[OK] Consuming messages",
	}},
	"done": Event{Event: EventDone, ID: 1, Result: json.RawMessage(`{"units":[]}`)},
	"error": Event{Event: EventError, ID: 1, Error: &Error{
		Code: CodeLeaseHeld, Message: "cannot hold preprod: bob@desk has held it since 18:00 for a deploy",
		Advice: Advice{Code: AdviceStatus},
		Holder: &Holder{Operator: "bob@desk", User: "app", UID: 1000, Purpose: "deploy", Since: moment},
	}},
	"gate": Event{Event: EventError, ID: 1, Error: &Error{
		Code: CodeGate, Message: "cannot apply the plan: gate 3 (approval) is closed: nobody has approved it",
		Advice: Advice{Code: AdviceApprove}, Gate: 3,
	}},
	"job": Event{Event: EventJob, ID: 1, Job: &Job{
		ID: "abcdefgh", Kind: KindApply, State: JobFailed, Plan: "00", Operator: "alice@laptop", User: "app", Created: moment, Ended: moment,
		Steps: []JobStep{{Step: "1.1", State: StepStopped, Began: moment, Ended: moment, Gate: 5,
			Detail: "step 1.1 was not begun: gate 5 (drift) is closed: 40 people would move, the forecast says 41"}},
	}},
}

func TestGoldenLines(t *testing.T) {
	for name, value := range golden {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			if err := NewWriter(&got).Write(value); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", name+".json")
			if *update {
				if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want) {
				t.Errorf("the line changed:\ngot  %swant %s", got.Bytes(), want)
			}
		})
	}
}

// TestHelloStartsWithMarker holds the bytes that a controller looks for among a login shell's noise.
func TestHelloStartsWithMarker(t *testing.T) {
	line, err := json.Marshal(golden["hello"])
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(line, []byte(`{"event":"hello","marker":"rp-agent/1"`)) {
		t.Errorf("hello starts with %.60s", line)
	}
}
