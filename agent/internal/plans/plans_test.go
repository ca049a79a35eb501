package plans_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/re-connect/rpctl/agent/internal/gates"
	"github.com/re-connect/rpctl/agent/internal/jobs/jobstest"
	"github.com/re-connect/rpctl/agent/internal/plans"
	"github.com/re-connect/rpctl/proto"
)

// TestDiskProvesNothing: what was changed on the disk, or put there by another, does not count.
func TestDiskProvesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		file, old, new string
		gate           int
	}{
		"figures of the simulation": {"simulation.json", `\"moved\":41`, `\"moved\":14`, gates.Simulation},
		"expiry of the approval":    {"approval.json", `\"by\":\"Claire\"`, `\"by\":\"Eve\"`, gates.Approval},
		"an approval as a receipt":  {"approval.json", `"namespace":"approval@rpctl"`, `"namespace":"applied@rpctl"`, gates.Approval},
	} {
		t.Run(name, func(t *testing.T) {
			h, p := jobstest.NewHost(t), jobstest.Plan()
			h.Approve(p)
			path := filepath.Join(h.Parts.State, "plans", p.Digest(), c.file)
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			changed := strings.Replace(string(data), c.old, c.new, 1)
			if changed == string(data) {
				t.Fatalf("the change does not fit %s", data)
			}
			if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
				t.Fatal(err)
			}
			e, err := h.Service.Plans.Evidence(p.Digest(), jobstest.Now())
			if err != nil || e.Doubts[c.gate] == "" || c.gate == gates.Simulation && e.Simulation != nil || c.gate == gates.Approval && e.Approval != nil {
				t.Errorf("%+v, %v", e, err)
			}
		})
	}
}

// TestFolderWithoutItsPlan: a disk that was full, or a power cut, when a plan was to be kept leaves a folder. It is no
// plan, and no reason to complain of one for ever.
func TestFolderWithoutItsPlan(t *testing.T) {
	h, p := jobstest.NewHost(t), jobstest.Plan()
	if err := os.MkdirAll(filepath.Join(h.Parts.State, "plans", p.Digest()), 0o700); err != nil {
		t.Fatal(err)
	}
	if all, err := h.Service.Plans.Overview(jobstest.Now()); err != nil || len(all) > 0 {
		t.Errorf("%+v, %v", all, err)
	}
	h.Approve(p)
	if all, err := h.Service.Plans.Overview(jobstest.Now()); err != nil || len(all) != 1 {
		t.Errorf("%+v, %v", all, err)
	}
}

// TestOpenRefuses what is signed and still not what it should be.
func TestOpenRefuses(t *testing.T) {
	claire := jobstest.NewSigner(t, "claire")
	good := proto.CanonicalBody(proto.Approval{Kind: "approval", Plan: "x", Nonce: "n"})
	for name, body := range map[string]string{
		"another kind":  strings.Replace(good, "approval", "applied", 1),
		"twice a key":   strings.Replace(good, `"plan":"x"`, `"plan":"y","plan":"x"`, 1),
		"unknown field": strings.Replace(good, `"plan"`, `"extra":1,"plan"`, 1),
		"blanks":        strings.Replace(good, `{"kind":"approval",`, `{"kind":"approval", `, 1),
		"two objects":   good + good,
		"nothing":       "",
	} {
		signed, err := claire.Key.Sign(proto.NamespaceApproval, body)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := plans.Open(claire.Key.Signers("claire"), signed, proto.NamespaceApproval, &proto.Approval{}, jobstest.Now()); err == nil {
			t.Errorf("%s passes: %s", name, body)
		}
	}
	signed, err := claire.Key.Sign(proto.NamespaceApproval, good)
	if err != nil {
		t.Fatal(err)
	}
	if who, err := plans.Open(claire.Key.Signers("claire"), signed, proto.NamespaceApproval, &proto.Approval{}, jobstest.Now()); err != nil || who != "claire" {
		t.Errorf("%q, %v", who, err)
	}
}
