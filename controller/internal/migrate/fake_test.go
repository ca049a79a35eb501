package migrate

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/fleet"
	"github.com/re-connect/rpctl/controller/internal/inventory"
	"github.com/re-connect/rpctl/internal/signature"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// desk is an operator's machine with a plan and two hosts, preprod's and prod's.
type desk struct {
	world   World
	options Options
	hosts   map[string]*fakeHost
	mu      sync.Mutex
	events  []event.Event
	console map[string]*bytes.Buffer
	answers []string // to questions, in order; then the terminal is closed
	asked   []string
	key     ssh.Signer
	signErr error
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{
		hosts:   map[string]*fakeHost{"pp1": newHost(t, "preprod", "pp1"), "p1": newHost(t, "prod", "p1")},
		console: map[string]*bytes.Buffer{proto.Stdout: {}, proto.Stderr: {}}, key: newKey(t),
	}
	preprod := inventory.Environment{Name: "preprod", ConsoleHost: "pp1", Console: &proto.Console{PHP: "/usr/bin/php", SelfApproval: true}}
	prod := inventory.Environment{Name: "prod", ConsoleHost: "p1", Console: &proto.Console{PHP: "/usr/bin/php", After: "preprod"}, After: "preprod", Confirm: true}
	trusted := inventory.TrustedHosts{Folder: t.TempDir(), Name: inventory.DefaultTrustedHosts}
	preprod.TrustedHosts, prod.TrustedHosts = trusted, trusted
	for _, h := range d.hosts {
		h.pin(t, trusted)
	}
	d.options = Options{
		Environment: preprod, All: []inventory.Environment{prod, preprod}, Operator: "alice@laptop",
		Plan: ticket(), PlanPath: filepath.Join(t.TempDir(), "plan.toml"),
	}
	d.world = World{
		Fleet: &fleet.Fleet{Dial: d.dial}, Sink: d, Console: d, Random: rand.Reader, Now: func() time.Time { return noon },
		Confirm: d.confirm, Sign: d.sign,
	}
	return d
}

// ticket is a plan of two steps.
func ticket() plan.Plan {
	origin := plan.Centre{ID: 4537, Name: "France Fraternités - CHU 75"}
	step := func(id int64, name, value string) plan.Step {
		return plan.Step{Origin: origin, Destination: plan.Centre{ID: id, Name: "France Fraternités - " + name}, Field: "migration-des-donnees", Value: value}
	}
	return plan.Plan{Version: 1, Ticket: "https://trello.example/c/1", Centre: "CHU 75", Groups: []plan.Group{{
		Steps: []plan.Step{step(5644, "CHU 77", "CHU 77"), step(4960, "CPH", "CPH")},
	}}}
}

func newKey(t *testing.T) ssh.Signer {
	t.Helper()
	_, secret, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewSignerFromKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (d *desk) dial(_ context.Context, target fleet.Target) (fleet.Agent, error) {
	h := d.hosts[target.Host]
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dials++
	if h.down > 0 {
		h.down--
		return nil, &exit.Error{Code: exit.Unreachable, Host: target.Host, Message: "no answer"}
	}
	return &fakeAgent{host: h, closed: make(chan struct{})}, nil
}

func (d *desk) Emit(e event.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.events = append(d.events, e)
}

func (d *desk) Print(stream string, offset int64, raw []byte) error {
	if at := int64(d.console[stream].Len()); offset != at {
		return fmt.Errorf("%s: offset %d at byte %d", stream, offset, at)
	}
	d.console[stream].Write(raw)
	return nil
}

func (d *desk) End() {}

func (d *desk) confirm(_ context.Context, question string) (string, error) {
	d.asked = append(d.asked, question)
	if len(d.answers) == 0 {
		return "", errors.New("nothing was typed")
	}
	answer := d.answers[0]
	d.answers = d.answers[1:]
	return answer, nil
}

func (d *desk) sign(_ context.Context, _, _, namespace, body string) (proto.Signed, error) {
	if d.signErr != nil {
		return proto.Signed{}, d.signErr
	}
	return signature.Sign(d.key, namespace, body)
}

// of are the events of one kind.
func (d *desk) of(kind event.Kind) []event.Event {
	d.mu.Lock()
	defer d.mu.Unlock()
	var found []event.Event
	for _, e := range d.events {
		if e.Kind == kind {
			found = append(found, e)
		}
	}
	return found
}

// fakeHost answers as an agent does; what it does in particular is set by the test.
type fakeHost struct {
	mu                sync.Mutex
	name, environment string
	key               ssh.Signer
	down, dials       int // how often a dial fails; how many there were
	status            proto.PlanStatus
	refuse            map[proto.Op]error
	starts            []proto.JobStartArgs
	follows           []proto.JobFollowArgs
	cancels           []proto.JobCancelArgs
	brought           []proto.PlanStatusArgs
	approvals         []proto.Signed
	revocations       []proto.Signed
	stdout            []byte
	job               proto.Job // as it is at the end
	// cut, where set, says after how many bytes of output a follow loses the connection;
	// it is asked at each follow, and a negative number loses nothing.
	cut func() int
	// hold, where set, keeps a follow open until it is closed.
	hold chan struct{}
	// lose is how many starts get no answer although they were heard.
	lose int
}

func newHost(t *testing.T, environment, name string) *fakeHost {
	return &fakeHost{name: name, environment: environment, key: newKey(t), refuse: map[proto.Op]error{}, job: proto.Job{State: proto.JobSucceeded}}
}

// pin writes the host's key into the file of pinned keys.
func (h *fakeHost) pin(t *testing.T, file inventory.TrustedHosts) {
	t.Helper()
	key, err := signature.NewHostKey(h.name, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(h.key.PublicKey()))), h.environment)
	if err == nil {
		err = file.Pin(key)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (h *fakeHost) signed(t *testing.T, namespace string, body any) *proto.Signed {
	t.Helper()
	signed, err := signature.Sign(h.key, namespace, proto.CanonicalBody(body))
	if err != nil {
		t.Fatal(err)
	}
	return &signed
}

// simulation is what the host's dry runs found.
func (h *fakeHost) simulation(p plan.Plan) proto.Simulation {
	figures := []plan.Figures{{Origin: 160, Moved: 41}, {Origin: 160, Destination: 180, Moved: 10}}
	forecasts, _ := plan.Forecasts(p, figures, plan.NoneDone)
	s := proto.Simulation{Kind: "simulation", Environment: h.environment, Host: h.name, Plan: p.Digest(), Revision: "abc1234", Time: noon, Expires: noon.Add(time.Hour), Nonce: "n"}
	for i, f := range forecasts {
		s.Steps = append(s.Steps, proto.SimulatedStep{Step: f.Step, Forecast: f, Result: proto.StepResult{Figures: figures[i]}})
	}
	return s
}

func (h *fakeHost) applied(p plan.Plan) proto.Applied {
	a := proto.Applied{Kind: "applied", Environment: h.environment, Host: h.name, Plan: p.Digest(), Time: noon, Expires: noon.Add(time.Hour), Nonce: "n"}
	for _, step := range h.simulation(p).Steps {
		a.Steps = append(a.Steps, step.Forecast)
	}
	return a
}

// fakeAgent is one connection.
type fakeAgent struct {
	host   *fakeHost
	once   sync.Once
	closed chan struct{}
}

func (a *fakeAgent) Hello(context.Context) (proto.Hello, error) { return proto.Hello{}, nil }
func (a *fakeAgent) Close() error                               { a.once.Do(func() { close(a.closed) }); return nil }

func (a *fakeAgent) Call(ctx context.Context, op proto.Op, args, result any, on func(proto.Event)) error {
	h := a.host
	h.mu.Lock()
	err := h.refuse[op]
	h.mu.Unlock()
	if err != nil {
		return err
	}
	switch args := args.(type) {
	case proto.JobStartArgs:
		return h.start(args, result)
	case proto.JobFollowArgs:
		return a.follow(ctx, args, result, on)
	case proto.JobCancelArgs:
		h.cancels = append(h.cancels, args)
		job := h.job
		job.ID, job.State, job.CancelAsked = args.ID, proto.JobRunning, true
		return carry(job, result)
	case proto.JobsArgs:
		job := h.job
		job.ID, job.Stdout = args.ID, int64(len(h.stdout))
		return carry(proto.JobList{Jobs: []proto.Job{job}}, result)
	case proto.PlanStatusArgs:
		h.brought = append(h.brought, args)
		return carry(h.status, result)
	case proto.ApproveArgs:
		h.approvals = append(h.approvals, args.Approval)
		return carry(h.status, result)
	case proto.RevokeArgs:
		h.revocations = append(h.revocations, args.Revocation)
		return carry(h.status, result)
	}
	return fmt.Errorf("unexpected %s", op)
}

func (h *fakeHost) start(args proto.JobStartArgs, result any) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.starts = append(h.starts, args)
	if h.lose > 0 {
		h.lose--
		return fmt.Errorf("%w: cable", fleet.ErrLost)
	}
	return carry(proto.Job{ID: args.ID, State: proto.JobAccepted}, result)
}

func (a *fakeAgent) follow(ctx context.Context, args proto.JobFollowArgs, result any, on func(proto.Event)) error {
	h := a.host
	h.mu.Lock()
	h.follows = append(h.follows, args)
	left := -1
	if h.cut != nil {
		left = h.cut()
	}
	out, job, hold := h.stdout, h.job, h.hold
	h.mu.Unlock()
	running := job
	running.ID, running.State = args.ID, proto.JobRunning
	on(proto.Event{Event: proto.EventJob, Job: &running})
	const chunk = 7
	for at := args.Stdout - args.Stdout%chunk; at < int64(len(out)); at += chunk { // chunks as the host has them: the first may be known
		end := min(at+chunk, int64(len(out)))
		if left >= 0 && end-args.Stdout > int64(left) {
			return fmt.Errorf("%w: cable", fleet.ErrLost)
		}
		on(proto.Event{Event: proto.EventOutput, Output: &proto.Output{Stream: proto.Stdout, Offset: at, Length: int(end - at), Raw: out[at:end]}})
	}
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return ctx.Err()
		case <-a.closed:
			return errors.New("closed")
		}
	}
	job.ID = args.ID
	return carry(job, result)
}

// carry takes an answer over as the wire does.
func carry(answer, result any) error {
	line, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	return json.Unmarshal(line, result)
}

func check(t *testing.T, err error, code exit.Code, message, next string) {
	t.Helper()
	failure := exit.From(err)
	if failure == nil || failure.Code != code || !bytes.Contains([]byte(failure.Message), []byte(message)) || !bytes.Contains([]byte(failure.Next), []byte(next)) {
		t.Fatalf("got %+v\nwant %s %q, next %q", failure, code, message, next)
	}
}
