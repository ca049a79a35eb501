package runner

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"time"

	"github.com/re-connect/rpctl/agent/internal/jobs/store"
	"github.com/re-connect/rpctl/proto"
)

// appliedLife is for how long a host's word that a plan was applied opens the next environment.
const appliedLife = 30 * 24 * time.Hour

// succeed signs what the job has proved.
func (w *work) succeed() error {
	sign := w.signSimulation
	if w.spec.Args.Kind == proto.KindApply {
		sign = w.signApplied
	}
	refusal, err := sign()
	if err != nil {
		return err
	}
	ending := store.Ending{State: proto.JobSucceeded}
	if refusal != nil {
		ending = store.Ending{State: proto.JobFailed, Error: refusal}
	}
	w.record.Ending = &ending
	return w.saveJob()
}

// signApplied signs that every step was run and verified, and why one of them passed a closed gate: in this
// job or in one before it.
func (w *work) signApplied() (*proto.Error, error) {
	steps, err := w.Plans.Steps(w.digest)
	if err != nil {
		return nil, err
	}
	head, err := w.head()
	if err != nil {
		return nil, err
	}
	now := w.now()
	return nil, w.sign(proto.NamespaceApplied, proto.Applied{
		Kind: "applied", Environment: w.Config.Environment, Host: w.Name, Plan: w.digest, Revision: w.record.Revision,
		Job: w.record.Job.ID, Time: now, Expires: now.Add(appliedLife), Nonce: nonce(),
		BreakGlass: cmp.Or(w.spec.Args.BreakGlass, steps.BreakGlass), Steps: w.record.Forecasts, Resolved: w.resolved(), Audit: head,
	})
}

// resolved are the verified steps that did not do all of what they did in one run, or not in one that ended well.
func (w *work) resolved() []proto.ResolvedStep {
	var all []proto.ResolvedStep
	for _, step := range w.record.Job.Steps {
		if step.Resolved != "" && step.State == proto.StepVerified {
			all = append(all, proto.ResolvedStep{Step: step.Step, As: step.Resolved, First: step.First})
		}
	}
	return all
}

// head is where the audit ends now: a signed receipt that was brought elsewhere shows whether it was rewritten since.
func (w *work) head() (*proto.AuditHead, error) {
	head, err := w.Audit.Head()
	return &head, err
}

// sign keeps a receipt with the plan and with the job.
func (w *work) sign(namespace string, body any) error {
	key, err := w.Key()
	if err != nil {
		return err
	}
	signed, err := key.Sign(namespace, proto.CanonicalBody(body))
	if err != nil {
		return err
	}
	if err := w.Plans.SaveSigned(w.digest, signed); err != nil {
		return err
	}
	w.record.Job.Receipt = &signed
	return nil
}

func nonce() string {
	var random [16]byte
	_, _ = rand.Read(random[:]) // it never fails (crypto/rand)
	return hex.EncodeToString(random[:])
}
