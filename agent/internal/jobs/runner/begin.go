package runner

import (
	"errors"

	"github.com/re-connect/rpctl/agent/internal/audit"
	"github.com/re-connect/rpctl/agent/internal/gates"
	"github.com/re-connect/rpctl/agent/internal/plans"
	"github.com/re-connect/rpctl/proto"
)

// begin judges the job a last time, from the disk alone, and marks it as running. Errors that are a
// *proto.Error refuse it.
func (w *work) begin() error {
	release, err := w.Releases.Current()
	if err != nil {
		return w.noRelease(err)
	}
	w.record.Revision = release.Revision
	// What could not be signed at the end is not begun.
	if _, err := w.Key(); err != nil {
		return err
	}
	signers := ""
	if w.spec.Args.Kind == proto.KindApply {
		signers, err = w.judge()
	} else {
		err = w.takeUp()
	}
	if err != nil {
		return err
	}
	if err := w.tell(audit.ActionJob, "", "plan %s, %s", w.digest, w.spec.Args.Plan.Ticket); err != nil {
		return err
	}
	if reason := w.spec.Args.BreakGlass; reason != "" {
		if err := w.tell(audit.ActionBreakGlass, "", "THE GLASS IS BROKEN by %s for plan %s: %s", signers, w.digest, reason); err != nil {
			return err
		}
	}
	w.record.Job.State = proto.JobRunning
	return w.save()
}

// noRelease ends the job: whoever comes next would find the same, and nothing was begun.
func (w *work) noRelease(err error) error {
	var refusal *proto.Error
	if errors.As(err, &refusal) && refusal.Code == proto.CodeRelease {
		return refusal
	}
	return &proto.Error{Code: proto.CodeRelease, Message: proto.HostText("cannot tell which release is deployed: " + err.Error()), Advice: proto.Advice{Code: proto.AdviceHostDoctor}}
}

// judge asks the gates, takes from the evidence what the steps will be held to, and returns who signed that.
func (w *work) judge() (signers string, err error) {
	newest, err := w.Audit.Newest()
	if err != nil {
		return "", err
	}
	standing, evidence, err := w.Plans.Standing(plans.Question{
		Start: w.spec.Args, Operator: w.spec.Operator, Rules: w.Config.Console,
		Revision: w.record.Revision, Mark: newest, Asked: w.spec.Created, Now: w.now(),
	})
	if err != nil {
		return "", err
	}
	if refusal := evidence.Refusal(standing); refusal != nil {
		return "", refusal
	}
	w.record.Approval = evidence.SignedApproval
	w.record.Forecasts, w.record.Simulated = nil, turns(w.spec.Args.Plan, evidence.Simulation.Steps)
	states := evidence.Steps.State()
	for i, step := range evidence.Simulation.Steps {
		w.record.Forecasts = append(w.record.Forecasts, step.Forecast)
		job := &w.record.Job.Steps[i]
		job.State = proto.StepSimulated
		if state := states[step.Step]; state == proto.StepVerified || gates.NeedsWord(state) {
			job.State = state
			recorded, _ := recordedOf(evidence.Steps, step.Step)
			job.First, job.Resolved = recorded.First, recorded.Resolved
		}
	}
	signers = standing.Intent
	if a := standing.Approval; a != nil && a.BreakGlass == w.spec.Args.BreakGlass {
		signers += ", " + a.Signer
	}
	return signers, nil
}
