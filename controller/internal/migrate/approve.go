package migrate

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/re-connect/rpctl/controller/internal/event"
	"github.com/re-connect/rpctl/controller/internal/exit"
	"github.com/re-connect/rpctl/controller/internal/fleet"
	"github.com/re-connect/rpctl/controller/internal/inventory"
	"github.com/re-connect/rpctl/internal/secret"
	"github.com/re-connect/rpctl/proto"
)

// Approving is what an approval says besides plan and figures.
type Approving struct {
	By       string // the approver as they call themselves
	For      string // who decided, when the approver signs another's answer
	Evidence string // where that answer stands
	Days     int    // for how long; 0 is as long as the environment allows
	// BreakGlass is the reason for which a start may pass closed gates; empty for a plain approval.
	BreakGlass string
}

// Approve shows the figures of the newest simulation on the host, asks, signs the
// approval with the approver's key and brings it to the host.
func Approve(ctx context.Context, world World, options Options, with Approving) error {
	r := newRun(world, options)
	return r.withApproval(ctx, with, func(to fleet.Target, agent fleet.Agent, body string) error {
		question := fmt.Sprintf("approve exactly these figures for %s%s%s? type yes: ", to.Environment, onBehalf(with), brokenGlass(with))
		if err := r.ask(ctx, question, "yes"); err != nil {
			return err
		}
		signed, err := r.signAsPerson(ctx, to, proto.NamespaceApproval, body, "migrate approve")
		if err != nil {
			return err
		}
		return r.bring(ctx, to, agent, signed)
	})
}

// withApproval hands on the text of an approval of the newest figures on the host, and the host.
func (r *run) withApproval(ctx context.Context, with Approving, do func(to fleet.Target, agent fleet.Agent, body string) error) error {
	if err := with.check(r.Environment); err != nil {
		return err
	}
	to, agent, err := r.reachPinned(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = agent.Close() }() // the answer is there
	if err := r.accepts(ctx, to, agent); err != nil {
		return err
	}
	body, err := r.approvalOf(ctx, to, agent, with)
	if err != nil {
		return r.advised(to, err)
	}
	return do(to, agent, body)
}

func onBehalf(with Approving) string {
	if with.For == "" {
		return ""
	}
	return fmt.Sprintf(", as %s decided (%s)", with.For, with.Evidence)
}

func brokenGlass(with Approving) string {
	if with.BreakGlass == "" {
		return ""
	}
	return fmt.Sprintf(", and BREAK THE GLASS: the start passes the gates approval and before (%s)", with.BreakGlass)
}

// check holds what an approval says to what its environment allows, and fills in what goes without saying.
func (a *Approving) check(e inventory.Environment) error {
	most := proto.DefaultApprovalDays
	if e.Console != nil {
		most = int(e.Console.ApprovalLife() / (24 * time.Hour))
	}
	if a.BreakGlass != "" {
		most = int(proto.GlassLife / (24 * time.Hour))
	}
	if a.Days == 0 {
		a.Days = most
	}
	for flag, text := range map[string]string{"by": a.By, "for": a.For} {
		if err := checkText(flag, text, proto.MaxSignedName); err != nil {
			return err
		}
	}
	switch {
	case a.BreakGlass != "" && (e.Console == nil || !e.Console.BreakGlass):
		return &exit.Error{Code: exit.Refused, Message: e.Name + " does not allow --break-glass: hosts.toml has no break_glass = true for it", Next: "rpctl migrate approve --help"}
	case a.BreakGlass != "" && a.Days > most:
		return &exit.Error{Code: exit.BadInput, Message: fmt.Sprintf("bad --days %d: an approval with --break-glass is good for one day", a.Days)}
	case (a.For == "") != (a.Evidence == ""):
		return &exit.Error{Code: exit.BadInput, Message: "--for and --evidence go together: who decided, and where that can be read"}
	case secret.Link(a.Evidence) != nil: // never repeated
		return &exit.Error{Code: exit.BadInput, Message: fmt.Sprintf("bad --evidence: %v; it is signed, sent to the host and shown: give the page's plain address", secret.Link(a.Evidence))}
	case len(a.Evidence) > proto.MaxSignedReason:
		return &exit.Error{Code: exit.BadInput, Message: fmt.Sprintf("bad --evidence: the link is %d bytes long, and at most %d fit", len(a.Evidence), proto.MaxSignedReason)}
	case a.Evidence != "" && !link(a.Evidence):
		return &exit.Error{Code: exit.BadInput, Message: "bad --evidence: want a link, like https://…, without blanks"}
	case a.Days < 1 || a.Days > most:
		return &exit.Error{Code: exit.BadInput, Message: fmt.Sprintf("bad --days %d: want 1 to %d, as approval_days of %s says", a.Days, most, e.Name)}
	}
	return nil
}

// link says whether a text is the address of a page that others can open.
func link(text string) bool {
	address, err := url.Parse(text)
	return err == nil && !strings.ContainsFunc(text, unicode.IsSpace) && (address.Scheme == "https" || address.Scheme == "http") && address.Host != ""
}

// approvalOf shows what the host's simulation found and makes the text that approves it.
func (r *run) approvalOf(ctx context.Context, to fleet.Target, agent fleet.Agent, with Approving) (string, error) {
	var status proto.PlanStatus
	if err := call(ctx, agent, proto.OpPlanStatus, proto.PlanStatusArgs{Plan: r.Plan}, &status); err != nil {
		return "", err
	}
	if status.Applied != nil && verified(status.Steps) {
		return "", &exit.Error{
			Code: exit.Refused, Host: to.Host, Message: "the plan is applied and verified already: there is nothing left to approve",
			Next: r.command("migrate status", to.Environment),
		}
	}
	if status.Simulation == nil {
		return "", &exit.Error{
			Code: exit.Refused, Host: to.Host, Message: "there is no simulation of this plan to approve",
			Next: r.command("migrate", to.Environment),
		}
	}
	simulation, err := r.keepSimulation(to, status.Simulation)
	if err != nil {
		return "", err
	}
	r.figures(to, simulation, "")
	if step, accommodation, open := r.undecided(simulation); open {
		return "", &exit.Error{
			Code:    exit.Refused,
			Message: fmt.Sprintf("cannot approve: nobody has decided to move accommodation %d of step %s, which people who stay share: the decision belongs into the plan", accommodation, step),
			Next:    r.command("migrate", to.Environment),
		}
	}
	nonce, err := newNonce(r.Random)
	now := r.Now().UTC()
	return proto.CanonicalBody(proto.Approval{
		Kind: "approval", Environment: to.Environment, Plan: simulation.Plan, Figures: simulation.FiguresDigest(),
		By: with.By, For: with.For, Evidence: with.Evidence, BreakGlass: with.BreakGlass, Time: now, Expires: now.Add(time.Duration(with.Days) * 24 * time.Hour), Nonce: nonce,
	}), err
}

// bring hands an approval to the host that will judge it, keeps it, and shows the gates.
func (r *run) bring(ctx context.Context, to fleet.Target, agent fleet.Agent, signed proto.Signed) error {
	var status proto.PlanStatus
	if err := call(ctx, agent, proto.OpApprove, proto.ApproveArgs{Approval: signed}, &status); err != nil {
		return r.advised(to, err)
	}
	path, err := r.store.write(to.Environment+approvalFile, signed)
	if err != nil {
		return counts("approval", err)
	}
	r.emit(to, event.Event{Kind: event.Stored, Path: path, Digest: r.Plan.Digest()})
	if receipts := r.othersReceipts(ctx, r.Environment); len(receipts) > 0 { // which an approval does not bring along
		args := proto.PlanStatusArgs{Plan: r.Plan, Receipts: receipts}
		var whole proto.PlanStatus
		if err := call(ctx, agent, proto.OpPlanStatus, args, &whole); err != nil { // the approval is there all the same
			r.warn(to, "cannot ask for the gates with the receipt of %s: %s", r.Environment.After, exit.From(err).Message)
		} else {
			status = whole
		}
	}
	r.gates(to, status)
	return nil
}

// Request writes the text of an approval to a file, for `ssh-keygen -Y sign` elsewhere.
func Request(ctx context.Context, world World, options Options, with Approving, file string) error {
	r := newRun(world, options)
	return r.withApproval(ctx, with, func(to fleet.Target, _ fleet.Agent, body string) error {
		if err := WriteNew(file, []byte(body)); err != nil {
			return err
		}
		word := exit.Word(file)
		r.emit(to, event.Event{
			Kind: event.Stored, Path: file, Digest: r.Plan.Digest(),
			Commands: []string{"ssh-keygen -Y sign -f KEY -n " + proto.NamespaceApproval + " " + word},
			Next:     r.command("migrate approve", to.Environment) + " --signed " + word,
		})
		return nil
	})
}

// Signed brings an approval to the host that was signed elsewhere: file is the text that
// Request wrote, file.sig what ssh-keygen made of it.
func Signed(ctx context.Context, world World, options Options, file string) error {
	r := newRun(world, options)
	signed, err := r.readSigned(file)
	if err == nil && r.Environment.Console != nil {
		err = r.inHardware(signed, "migrate approve")
	}
	if err != nil {
		return err
	}
	to, agent, err := r.reach(ctx, r.Environment)
	if err != nil {
		return err
	}
	defer func() { _ = agent.Close() }() // the answer is there
	if err := r.accepts(ctx, to, agent); err != nil {
		return err
	}
	return r.bring(ctx, to, agent, signed)
}

func (r *run) readSigned(file string) (proto.Signed, error) {
	bad := func(err error, next string) (proto.Signed, error) {
		return proto.Signed{}, &exit.Error{Code: exit.BadInput, Err: err, Message: "cannot use the signed approval: " + err.Error(), Next: next}
	}
	body, err := readBounded(file, maxReceipt)
	if err != nil {
		return bad(err, r.command("migrate approval-request", r.Environment.Name)+" -o "+exit.Word(file))
	}
	sig, err := readBounded(file+".sig", maxReceipt)
	if err != nil {
		return bad(err, "ssh-keygen -Y sign -f KEY -n "+proto.NamespaceApproval+" "+exit.Word(file))
	}
	var approval proto.Approval
	if err := proto.DecodeStrict(body, &approval); err != nil {
		return bad(fmt.Errorf("%s is no approval: %w", file, err), "")
	}
	if approval.Environment != r.Environment.Name || approval.Plan != r.Plan.Digest() {
		return bad(fmt.Errorf("%s approves plan %.12s in %q, and this is plan %.12s in %s",
			file, hexOnly(approval.Plan), approval.Environment, r.Plan.Digest(), r.Environment.Name),
			r.command("migrate approval-request", r.Environment.Name)+" -o FILE")
	}
	return proto.Signed{Namespace: proto.NamespaceApproval, Body: string(body), Signature: string(sig)}, nil
}

// hexOnly is a digest to show, or a word for what is none.
func hexOnly(digest string) string {
	if _, err := hex.DecodeString(digest); err != nil || digest == "" {
		return "unknown"
	}
	return digest
}
