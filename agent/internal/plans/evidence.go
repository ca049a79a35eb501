package plans

import (
	"fmt"
	"strings"
	"time"

	"github.com/re-connect/rpctl/agent/internal/gates"
	"github.com/re-connect/rpctl/internal/signature"
	"github.com/re-connect/rpctl/proto"
)

// Evidence is what this host has about a plan, verified now. Doubts say, by gate,
// why something that is there does not count.
type Evidence struct {
	Simulation       *proto.Simulation
	SignedSimulation *proto.Signed
	Approval         *gates.Approved
	SignedApproval   *proto.Signed
	Revocation       *Revoked
	Applied          *proto.Applied
	SignedApplied    *proto.Signed
	Steps            Steps
	Doubts           map[int]string
}

// Latest is the newest time that the evidence speaks of.
func (e Evidence) Latest() time.Time {
	latest := e.Steps.Time
	if e.Simulation != nil && e.Simulation.Time.After(latest) {
		latest = e.Simulation.Time
	}
	if e.Applied != nil && e.Applied.Time.After(latest) {
		latest = e.Applied.Time
	}
	return latest
}

// Evidence reads and verifies what there is about a plan. What does not verify is
// left out and doubted; an error is for a disk or a file of keys that cannot be read.
func (f Folder) Evidence(digest string, now time.Time) (Evidence, error) {
	e := Evidence{Doubts: map[int]string{}}
	own, err := f.Keys.Own()
	if err != nil {
		return e, err
	}
	if e.Steps, err = f.Steps(digest); err != nil {
		return e, err
	}
	var simulation proto.Simulation
	if e.SignedSimulation, _, err = f.signed(digest, own, proto.NamespaceSimulation, &simulation, now, e.doubt(gates.Simulation)); err != nil {
		return e, err
	}
	if e.SignedSimulation != nil {
		e.Simulation = &simulation
	}
	var applied proto.Applied
	if e.SignedApplied, _, err = f.signed(digest, own, proto.NamespaceApplied, &applied, now, e.doubt(gates.Before)); err != nil {
		return e, err
	}
	if e.SignedApplied != nil {
		e.Applied = &applied
	}
	if e.Revocation, err = f.revocation(digest, now); err != nil {
		return e, err
	}
	var signed proto.Signed
	there, err := f.read(digest, fileOf[proto.NamespaceApproval], &signed)
	if err != nil || !there {
		return e, err
	}
	return e, f.approved(&signed, now, &e)
}

// approved opens an approval: one that does not count is doubted.
func (f Folder) approved(signed *proto.Signed, now time.Time, e *Evidence) error {
	if signed == nil {
		return nil
	}
	approvers, err := f.Keys.Approvers()
	if err != nil {
		return err
	}
	var approval proto.Approval
	signer, err := Open(approvers, *signed, proto.NamespaceApproval, &approval, now)
	if err != nil {
		e.doubt(gates.Approval)(err)
		return nil
	}
	e.SignedApproval = signed
	e.Approval = &gates.Approved{Approval: approval, Signer: signer, Key: signature.Fingerprint(*signed)}
	if e.Revocation.beats(approval.Time) {
		e.Approval.Revoked, e.Approval.Unread = e.Revocation.told(), e.Revocation.Unread
	}
	return nil
}

func (e Evidence) doubt(gate int) func(error) {
	return func(err error) { e.Doubts[gate] = err.Error() }
}

// signed reads a signed file and opens it; nil when it is not there or does not count.
func (f Folder) signed(digest string, by signature.Signers, namespace string, body any, now time.Time, doubt func(error)) (*proto.Signed, string, error) {
	var signed proto.Signed
	there, err := f.read(digest, fileOf[namespace], &signed)
	if err != nil || !there {
		return nil, "", err
	}
	signer, err := Open(by, signed, namespace, body, now)
	if err != nil {
		doubt(err)
		return nil, "", nil
	}
	return &signed, signer, nil
}

// kinds is what the text under a signature of each namespace must call itself.
var kinds = map[string]string{
	proto.NamespaceSimulation: "simulation",
	proto.NamespaceApproval:   "approval",
	proto.NamespaceApplied:    "applied",
	proto.NamespaceIntent:     "apply",
	proto.NamespaceRevocation: "revocation",
}

// Open verifies a signature of one namespace and decodes what was signed: exactly
// one object, in canonical form, of the kind that goes with the namespace, whose texts are bounded and printable.
func Open(by signature.Signers, signed proto.Signed, namespace string, body any, now time.Time) (signer string, err error) {
	if signer, err = by.Verify(signed, namespace, now); err != nil {
		return "", err
	}
	if err := proto.DecodeStrict([]byte(signed.Body), body); err != nil {
		return "", fmt.Errorf("%w: what was signed is not understood", signature.ErrNotSigned)
	}
	if want := fmt.Sprintf(`{"kind":%q,`, kinds[namespace]); !strings.HasPrefix(signed.Body, want) {
		return "", fmt.Errorf("%w: what was signed is no %s", signature.ErrNotSigned, kinds[namespace])
	}
	// A key that is there twice, for one, would be read by people otherwise than by us.
	if proto.CanonicalBody(body) != signed.Body {
		return "", fmt.Errorf("%w: what was signed is not in canonical form", signature.ErrNotSigned)
	}
	if err := bounded(body); err != nil {
		return "", fmt.Errorf("what was signed cannot be kept: %w", err)
	}
	return signer, nil
}
