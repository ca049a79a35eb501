package plans_test

import (
	"strings"
	"testing"
	"time"

	"github.com/re-connect/rpctl/agent/internal/jobs/jobstest"
	"github.com/re-connect/rpctl/agent/internal/plans"
	"github.com/re-connect/rpctl/internal/printable"
	"github.com/re-connect/rpctl/proto"
)

// FuzzRevocation: what is taken of a body that an approver signed is in canonical form, bounded, and harmless to show.
func FuzzRevocation(f *testing.F) {
	claire := jobstest.NewSigner(f, "claire")
	good := proto.Revocation{Kind: "revocation", Environment: "preprod", Plan: strings.Repeat("0", 64), By: "claire", Reason: "x", Time: time.Unix(1e9, 0).UTC(), Nonce: "n"}
	f.Add(proto.CanonicalBody(good))
	f.Add(`{"kind":"revocation","environment":"","plan":"","by":"\u001b[2J","time":"0001-01-01T00:00:00+23:59","nonce":"n"}` + "\n")
	f.Add(`{"kind":"approval"}`)
	f.Fuzz(func(t *testing.T, body string) {
		signed, err := claire.Key.Sign(proto.NamespaceRevocation, body)
		if err != nil {
			t.Fatal(err)
		}
		var r proto.Revocation
		if _, err := plans.Open(claire.Key.Signers("claire"), signed, proto.NamespaceRevocation, &r, jobstest.Now()); err != nil {
			if printable.Line(err.Error()) != err.Error() {
				t.Errorf("%q is refused with %q", body, err)
			}
			return
		}
		if proto.CanonicalBody(r) != body || r.Kind != "revocation" || printable.Line(r.By+r.Reason+r.Nonce) != r.By+r.Reason+r.Nonce || len(r.Reason) > proto.MaxSignedReason {
			t.Errorf("%q is taken as %+v", body, r)
		}
	})
}
