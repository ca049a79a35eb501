package crash

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/re-connect/rpctl/agent/internal/audit"
	"github.com/re-connect/rpctl/agent/internal/jobs/console"
	"github.com/re-connect/rpctl/agent/internal/jobs/jobstest"
	"github.com/re-connect/rpctl/agent/internal/jobs/store"
	"github.com/re-connect/rpctl/proto"
	"github.com/re-connect/rpctl/proto/plan"
)

func wellEnded() console.End {
	return console.End{Result: "success", Code: "exited", Status: "0", Time: now()}
}

// entries is how many whole entries the audit has.
func entries(h *host) string {
	n, err := count(h)
	h.must(err)
	return inWords(n)
}

func inWords(n int) string { return fmt.Sprintf("%d entries", n) }

func count(h *host) (int, error) {
	all, err := audit.New(h.state).Last(99)
	all = slices.DeleteFunc(all, func(e proto.AuditEntry) bool { return e.Action == audit.ActionTorn })
	return len(all), err
}

// writeAudit writes to the audit until it has n entries.
func writeAudit(h *host, n int, told func(string)) error {
	is, err := count(h)
	if err != nil {
		return err
	}
	for told(inWords(is)); is < n; told(inWords(is)) {
		if _, err := audit.New(h.state).Append(proto.AuditEntry{Action: audit.ActionRecord, User: "app"}); err != nil {
			return err
		}
		is++
	}
	return nil
}

func approve(h *host, p plan.Plan) error {
	h.TB.Helper()
	evidence, err := plansOf(h).Evidence(p.Digest(), now())
	h.must(err)
	_, err = h.Service.Approve(h.TB.Context(), proto.ApproveArgs{Approval: h.Approval(*evidence.Simulation)}, jobstest.Caller)
	return err
}

func approved(h *host) string {
	evidence, err := plansOf(h).Evidence(oneStep().Digest(), now())
	h.must(err)
	if len(evidence.Doubts) > 0 {
		h.TB.Errorf("doubts: %v", evidence.Doubts)
	}
	if evidence.Approval == nil || evidence.Approval.Revoked != "" {
		return "not approved"
	}
	all, err := audit.New(h.state).Last(99)
	h.must(err)
	if !slices.ContainsFunc(all, func(e proto.AuditEntry) bool { return e.Action == audit.ActionApprove }) {
		h.TB.Error("there is an approval that counts, and the audit does not know of it")
	}
	return "approved by " + evidence.Approval.Signer
}

// revoke is alice's revocation of all that was approved so far.
func revoke(h *host, p plan.Plan) error {
	h.TB.Helper()
	signed := h.Alice.Sign(h.TB, proto.NamespaceRevocation, proto.Revocation{Kind: "revocation", Environment: "preprod",
		Plan: p.Digest(), By: "alice", Time: time.Now().UTC(), Nonce: "n"})
	_, err := h.Service.Revoke(h.TB.Context(), proto.RevokeArgs{Revocation: signed}, jobstest.Caller)
	return err
}

func revoked(h *host) string {
	evidence, err := plansOf(h).Evidence(oneStep().Digest(), now())
	h.must(err)
	if evidence.Revocation == nil {
		return approved(h)
	}
	if evidence.Approval != nil && evidence.Approval.Revoked == "" {
		h.TB.Error("a revoked approval counts")
	}
	all, err := audit.New(h.state).Last(99)
	h.must(err)
	if !slices.ContainsFunc(all, func(e proto.AuditEntry) bool { return e.Action == audit.ActionRevoke }) {
		h.TB.Error("there is a revocation that counts, and the audit does not know of it")
	}
	return "revoked by " + evidence.Revocation.Signer
}

func wish(h *host) string {
	asked, err := h.Service.Jobs.CancelAsked(job)
	h.must(err)
	switch {
	case asked == nil:
		return "nobody asked"
	case asked.Now:
		return "at once"
	}
	return "before the next step"
}

// ended puts an old job there.
func ended(h *host, id proto.JobID, at time.Time) error {
	return h.Service.Jobs.Create(store.Spec{Args: proto.JobStartArgs{ID: id}, Created: at},
		store.Record{Job: proto.Job{ID: id, State: proto.JobSucceeded, Created: at, Ended: at, Steps: []proto.JobStep{}}})
}

func listed(h *host) []store.Record {
	all, err := h.Service.Jobs.List()
	h.must(err)
	return all
}

// errKilled is what a runner is killed with in preparations.
var errKilled = errors.New("killed")

// killAt runs a job until a command of this purpose was started, and no runner is left.
func killAt(h *host, id proto.JobID, purpose store.Purpose) {
	h.TB.Helper()
	r, started := h.Runner(), false
	r.Saved = func(record store.Record) error {
		current := record.Current()
		started = current != nil && current.Purpose == purpose
		return nil
	}
	h.Engine.Start = func(bool) error {
		if started {
			return errKilled
		}
		return nil
	}
	defer func() { h.Engine.Start = nil }()
	if err := r.Run(h.TB.Context(), id); !errors.Is(err, errKilled) {
		h.TB.Fatalf("the runner ended with %v", err)
	}
}

// marked is what look says, after it was checked that nothing happened to the data without its mark: a step that may
// have been run is one that is never run again by itself, and the audit has told before.
func marked(h *host, is string) string {
	h.TB.Helper()
	steps, err := plansOf(h).Steps(twoSteps().Digest())
	h.must(err)
	states := steps.State()
	begun := 0
	all, err := audit.New(h.state).Last(99)
	h.must(err)
	for _, entry := range all {
		if entry.Action == audit.ActionStep {
			begun++
		}
	}
	effects := h.effects()
	if begun < len(effects) {
		h.TB.Errorf("%d real commands were run, and the audit knows of %d", len(effects), begun)
	}
	for _, step := range twoSteps().Steps() {
		for _, effect := range effects {
			if effect.Shell(false) == step.Shell(false) && !mark(states[step.ID]) {
				h.TB.Errorf("step %s was run and is marked as %q", step.ID, states[step.ID])
			}
		}
	}
	return is
}

func mark(state proto.StepState) bool {
	return strings.Contains("running verifying verified failed interrupted unverified", string(state)) && state != ""
}
