package migrate

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/fleet"
	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/internal/secret"
	"github.com/re-connect/rpctl/internal/signature"
	"github.com/re-connect/rpctl/proto"
)

// revocationFile is what a revocation beside the plan is called, after its environment.
const revocationFile = "-revocation.json"

// Revoking is what a revocation says besides the plan.
type Revoking struct {
	By     string // the approver as they call themselves
	Reason string // may be empty
}

// Revoke withdraws every approval of the plan up to now on the environment's console host: it asks, signs the revocation
// with the operator's key, brings it to the host and keeps it beside the plan.
func Revoke(ctx context.Context, world World, options Options, with Revoking) error {
	if err := checkText("by", with.By, proto.MaxSignedName); err != nil {
		return err
	}
	if err := checkText("reason", with.Reason, proto.MaxSignedReason); err != nil {
		return err
	}
	if secret.Mask(with.Reason) != with.Reason { // never repeated
		return &exit.Error{Code: exit.BadInput, Message: "bad --reason: it looks as if it has a secret in it, and it is signed, sent to the host and shown"}
	}
	r := newRun(world, options)
	to, agent, err := r.reach(ctx, r.Environment)
	if err != nil {
		return err
	}
	defer func() { _ = agent.Close() }() // the answer is there
	return r.advised(to, r.revoke(ctx, to, agent, with))
}

func (r *run) revoke(ctx context.Context, to fleet.Target, agent fleet.Agent, with Revoking) error {
	var status proto.PlanStatus
	if err := call(ctx, agent, proto.OpPlanStatus, proto.PlanStatusArgs{Plan: r.Plan}, &status); err != nil {
		return err
	}
	if status.Applied != nil && verified(status.Steps) {
		return &exit.Error{
			Code: exit.Refused, Host: to.Host, Message: "the plan is applied and verified already: there is nothing left to revoke",
			Next: r.command("migrate status", to.Environment),
		}
	}
	at, what, err := r.revokes(status)
	if err != nil {
		return err
	}
	if err := r.ask(ctx, fmt.Sprintf("revoke %s for %s? type yes: ", what, to.Environment), "yes"); err != nil {
		return err
	}
	nonce, err := newNonce(r.Random)
	if err != nil {
		return err
	}
	body := proto.CanonicalBody(proto.Revocation{
		Kind: "revocation", Environment: to.Environment, Plan: r.Plan.Digest(), By: with.By, Reason: with.Reason, Time: at, Nonce: nonce,
	})
	signed, err := r.signAsPerson(ctx, to, proto.NamespaceRevocation, body, "migrate revoke")
	if err != nil {
		return err
	}
	if err := call(ctx, agent, proto.OpRevoke, proto.RevokeArgs{Revocation: signed}, &status); err != nil {
		return err
	}
	path, err := r.store.write(to.Environment+revocationFile, signed)
	if err != nil {
		r.gates(to, status)
		return counts("revocation", err)
	}
	r.emit(to, event.Event{Kind: event.Stored, Path: path, Digest: r.Plan.Digest()})
	r.gates(to, status)
	return nil
}

// counts says of a local failure that the host has accepted what could not be kept here.
func counts(what string, err error) error {
	failure := *exit.From(err)
	failure.Message = "the " + what + " counts: the host has accepted it; only the copy on this machine is missing: " + failure.Message
	return &failure
}

// revokes is the time up to which approvals are withdrawn, and what to ask. An approval that another machine's clock
// dated a little later than this one's now is withdrawn too.
func (r *run) revokes(status proto.PlanStatus) (time.Time, string, error) {
	now := r.Now().UTC()
	var approval proto.Approval
	if status.Approval == nil || proto.DecodeStrict([]byte(status.Approval.Body), &approval) != nil {
		return now, "every approval of this plan until now (there is none yet)", nil
	}
	what := fmt.Sprintf("the approval of %s, which says that it is by %q, and every earlier one", approval.Time.UTC().Format("2006-01-02 15:04 UTC"), printable.Excerpt(approval.By, proto.MaxSignedName))
	switch ahead := approval.Time.Sub(now); {
	case ahead > proto.ClockSkew:
		return now, what, &exit.Error{Code: exit.Refused, Message: fmt.Sprintf("the approval is of %s, and this machine's clock says %s: one of two clocks is wrong",
			approval.Time.UTC().Format(time.RFC3339), now.Format(time.RFC3339)), Next: "timedatectl"}
	case ahead > 0:
		now = approval.Time
	}
	return now, what, nil
}

// signAsPerson signs an approval or a revocation. Where the host wants a hardware key, another one is refused before anything is sent.
func (r *run) signAsPerson(ctx context.Context, to fleet.Target, namespace, body, verb string) (proto.Signed, error) {
	signed, err := r.Sign(ctx, to.Host, r.Key, namespace, body)
	if err == nil {
		err = r.inHardware(signed, verb)
	}
	return signed, err
}

func (r *run) inHardware(signed proto.Signed, verb string) error {
	if !r.Environment.Console.RequireSK || signature.InHardware(signed) {
		return nil
	}
	return &exit.Error{Code: exit.Refused, Next: r.command(verb, r.Environment.Name) + " --key ~/.ssh/id_ed25519_sk",
		Message: fmt.Sprintf("%s wants a hardware key with touch (require_sk: sk-ssh-ed25519 or sk-ecdsa), and the key that signed is %s; nothing was changed",
			r.Environment.Name, signature.Fingerprint(signed))}
}

// checkText refuses a text that the host would not keep.
func checkText(flag, text string, most int) error {
	if len(text) > most || printable.Line(text) != text || strings.TrimSpace(text) != text {
		return &exit.Error{Code: exit.BadInput, Message: fmt.Sprintf("bad --%s: want one printable line of at most %d bytes, without blanks around it", flag, most)}
	}
	return nil
}
