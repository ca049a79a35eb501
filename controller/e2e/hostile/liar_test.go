package hostile_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/re-connect/rpctl/internal/signature"
	"github.com/re-connect/rpctl/lab/app/console"
	"github.com/re-connect/rpctl/lab/inprocess"
	"github.com/re-connect/rpctl/lab/sshhost"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

const (
	preprod = "rp-preprod"
	prod    = "rp-prod"
)

// liar is a client with a developer's login that says to the hosts whatever it likes. Beside the
// developer's key it has one of its own, and it has seen everything that was ever sent.
type liar struct {
	lab                     *inprocess.Lab
	developer, claire, eve  ssh.Signer
	preprodKey              ssh.Signer // the host's own: what it signs honestly, but is of no use
	plan, other             plan.Plan
	receipt, otherReceipt   proto.Signed // that the plans were applied in preprod
	approval, onlyPreprod   proto.Signed // claire's, of the plan: for prod, and for preprod
	simulation, simulatedAt proto.Signed // of prod and of preprod
	jobs                    int
}

// newLiar brings a plan as far as it goes honestly: applied in preprod, simulated and approved in
// prod. Only the apply in prod is missing, and every gate is open for it.
func newLiar(t *testing.T) *liar {
	t.Helper()
	lab, err := inprocess.Start(t.Context(), inprocess.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(lab.Close)
	l := &liar{lab: lab, plan: ticket(), other: smallPlan()}
	l.developer, l.claire = l.key(t, "id_ed25519"), l.key(t, "id_claire")
	l.preprodKey = l.key(t, "hosts/preprod/rp-preprod.state/receipt_key")
	private, _, err := sshhost.NewClientKey("eve@nowhere")
	if err != nil {
		t.Fatal(err)
	}
	if l.eve, err = ssh.ParsePrivateKey(private); err != nil {
		t.Fatal(err)
	}
	l.otherReceipt, _, _ = l.applied(t, l.other)
	l.receipt, l.onlyPreprod, l.simulatedAt = l.applied(t, l.plan)
	l.simulation = l.simulated(t, prod, l.plan)
	l.approval = l.approve(t, prod, l.simulation)
	return l
}

// ticket is the runbook's, in its two groups.
func ticket() plan.Plan {
	chu75 := plan.Centre{ID: console.CHU75, Name: "France Fraternités - CHU 75"}
	chu77 := plan.Centre{ID: console.CHU77, Name: "France Fraternités - CHU 77"}
	cph := plan.Centre{ID: console.CPH, Name: "France Fraternités - CPH"}
	step := func(from, to plan.Centre, value string) plan.Step {
		return plan.Step{Origin: from, Destination: to, Field: console.Slug, Value: value}
	}
	return plan.Plan{Version: 1, Ticket: "https://trello.com/c/abc", Centre: "France Fraternités", Groups: []plan.Group{
		{Steps: []plan.Step{step(chu75, chu77, "CHU 77"), step(chu75, cph, "CPH")}},
		{Steps: []plan.Step{step(cph, chu75, "CHU 75")}},
	}}
}

func smallPlan() plan.Plan {
	p := ticket()
	p.Ticket, p.Groups = "https://trello.com/c/other", []plan.Group{{Steps: []plan.Step{{
		Origin:      plan.Centre{ID: console.CPH, Name: "France Fraternités - CPH"},
		Destination: plan.Centre{ID: console.TEH, Name: "France Fraternités - TEH"}, Field: console.Slug, Value: "TEH"}}}}
	return p
}

func (l *liar) key(t *testing.T, name string) ssh.Signer {
	t.Helper()
	private, err := os.ReadFile(filepath.Join(l.lab.Dir(), name))
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.ParsePrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// applied does a plan in preprod, honestly.
func (l *liar) applied(t *testing.T, p plan.Plan) (receipt, approval, simulation proto.Signed) {
	t.Helper()
	simulation = l.simulated(t, preprod, p)
	approval = l.approve(t, preprod, simulation)
	job := l.finished(t, preprod, l.started(t, preprod, proto.JobStartArgs{ID: l.newID(), Kind: proto.KindApply, Plan: p}))
	if job.State != proto.JobSucceeded || job.Receipt == nil {
		t.Fatalf("preprod: %s, %v", job.State, job.Error)
	}
	return *job.Receipt, approval, simulation
}

func (l *liar) simulated(t *testing.T, host string, p plan.Plan) proto.Signed {
	t.Helper()
	job := l.finished(t, host, l.started(t, host, proto.JobStartArgs{ID: l.newID(), Kind: proto.KindSimulate, Plan: p}))
	if job.State != proto.JobSucceeded || job.Receipt == nil {
		t.Fatalf("simulation on %s: %s, %v", host, job.State, job.Error)
	}
	return *job.Receipt
}

func (l *liar) approve(t *testing.T, host string, simulation proto.Signed) proto.Signed {
	t.Helper()
	signed := sign(t, l.claire, proto.NamespaceApproval, l.approvalOf(t, simulation))
	if err := l.ask(host, proto.OpApprove, proto.ApproveArgs{Approval: signed}, nil); err != nil {
		t.Fatal(err)
	}
	return signed
}

// approvalOf is an honest approval of a simulation.
func (l *liar) approvalOf(t *testing.T, simulation proto.Signed) proto.Approval {
	t.Helper()
	var s proto.Simulation
	if err := json.Unmarshal([]byte(simulation.Body), &s); err != nil {
		t.Fatal(err)
	}
	return proto.Approval{Kind: "approval", Environment: s.Environment, Plan: s.Plan, Figures: s.FiguresDigest(),
		By: "Claire", Time: now(), Expires: now().Add(time.Hour), Nonce: fmt.Sprint(l.newID())}
}

// start is what an honest operator would send to prod now.
func (l *liar) start(t *testing.T) proto.JobStartArgs {
	t.Helper()
	args := proto.JobStartArgs{ID: l.newID(), Kind: proto.KindApply, Plan: l.plan, Receipts: []proto.Signed{l.receipt}}
	return l.intended(t, args, nil)
}

// intended signs the start of a job, changed or not.
func (l *liar) intended(t *testing.T, args proto.JobStartArgs, change func(*proto.Intent)) proto.JobStartArgs {
	t.Helper()
	var status proto.PlanStatus
	if err := l.ask(prod, proto.OpPlanStatus, proto.PlanStatusArgs{Plan: l.plan}, &status); err != nil {
		t.Fatal(err)
	}
	var simulation proto.Simulation
	if err := json.Unmarshal([]byte(status.Simulation.Body), &simulation); err != nil {
		t.Fatal(err)
	}
	intent := args.Statement("prod", status.Host, "liar", simulation, status.Approval, now())
	if change != nil {
		change(&intent)
	}
	signed := sign(t, l.developer, proto.NamespaceIntent, intent)
	args.Intent = &signed
	return args
}

func sign(t *testing.T, by ssh.Signer, namespace string, body any) proto.Signed {
	t.Helper()
	return signText(t, by, namespace, proto.CanonicalBody(body))
}

func signText(t *testing.T, by ssh.Signer, namespace, body string) proto.Signed {
	t.Helper()
	signed, err := signature.Sign(by, namespace, body)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

func (l *liar) newID() proto.JobID {
	l.jobs++
	return proto.JobID(fmt.Sprintf("hostile%05d", l.jobs))
}

// ask sends one request, args being anything that is JSON, and returns what the host says to it.
func (l *liar) ask(host string, op proto.Op, args, result any) error {
	raw, err := json.Marshal(args)
	if err != nil {
		return err
	}
	return l.say(host, fmt.Sprintf(`{"id":1,"protocol":1,"op":%q,"environment":%q,"operator":"liar","args":%s}`, op, strings.TrimPrefix(host, "rp-"), raw), result)
}

// say sends a line as it is.
func (l *liar) say(host, line string, result any) error {
	var out, errs bytes.Buffer
	login := sshhost.Request{Command: "rp-agent rpc", User: "app", RemoteAddr: &net.TCPAddr{}, LocalAddr: &net.TCPAddr{}}
	status := l.lab.Host(host).Login(context.Background(), login, strings.NewReader(line+"\n"), &out, &errs)
	for answer := range strings.Lines(out.String()) {
		var event proto.Event
		if err := json.Unmarshal([]byte(answer), &event); err != nil {
			return fmt.Errorf("%s says %.200q", host, answer)
		}
		switch {
		case event.Event == proto.EventError:
			return event.Error
		case event.Event == proto.EventDone && result != nil:
			return json.Unmarshal(event.Result, result)
		case event.Event == proto.EventDone:
			return nil
		}
	}
	return fmt.Errorf("%s answers nothing (status %d): %.500s%.500s", host, status, out.String(), errs.String())
}

func (l *liar) started(t *testing.T, host string, args proto.JobStartArgs) proto.JobID {
	t.Helper()
	if err := l.ask(host, proto.OpJobStart, args, nil); err != nil {
		t.Fatalf("%s: %v", host, err)
	}
	return args.ID
}

// finished waits until a job has ended. The liar's input ends with its question, so that it can only ask again.
func (l *liar) finished(t *testing.T, host string, id proto.JobID) proto.Job {
	t.Helper()
	deadline := time.After(10 * time.Minute)
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for {
		var list proto.JobList
		if err := l.ask(host, proto.OpJobs, proto.JobsArgs{ID: id}, &list); err != nil {
			t.Fatal(err)
		}
		if job := list.Jobs[0]; job.State.Ended() {
			return job
		}
		select {
		case <-again.C:
		case <-deadline:
			t.Fatalf("job %s does not end within ten minutes", id)
		}
	}
}

// jobsOf are the ids of all jobs of a host.
func (l *liar) jobsOf(t *testing.T, host string) []proto.JobID {
	t.Helper()
	var list proto.JobList
	if err := l.ask(host, proto.OpJobs, proto.JobsArgs{Limit: 100}, &list); err != nil {
		t.Fatal(err)
	}
	var ids []proto.JobID
	for _, job := range list.Jobs {
		ids = append(ids, job.ID)
	}
	return ids
}

// effects are what the application of an environment says that happened to it.
func (l *liar) effects(t *testing.T, environment string) console.Effects {
	t.Helper()
	out, err := l.lab.RunConsole(context.Background(), environment, console.CommandEffects)
	var told console.Effects
	if err == nil {
		err = json.Unmarshal(out, &told)
	}
	if err != nil {
		t.Fatal(err)
	}
	return told
}

// turn sets the knobs of an environment's console.
func (l *liar) turn(t *testing.T, environment string, knobs console.Knobs) {
	t.Helper()
	text, err := json.Marshal(knobs)
	if err == nil {
		err = os.WriteFile(filepath.Join(l.lab.Application(environment), "shared/migration.json"), text, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// refusedWith holds an answer to a refusal of a kind, in words.
func refusedWith(t *testing.T, err error, code proto.Code, words string) {
	t.Helper()
	var refused *proto.Error
	if !errors.As(err, &refused) {
		t.Errorf("got %v, want a refusal: …%s…", err, words)
	} else if refused.Code != code || !strings.Contains(string(refused.Message), words) {
		t.Errorf("got %s: %s, want %s: …%s…", refused.Code, refused.Message, code, words)
	}
}
